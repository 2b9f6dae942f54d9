"""A small causal Transformer: what the cells are held against, with its whole past in view or a window of it."""

import math

import torch
from torch import Tensor, nn

HEAD_WIDTH = 16  # channels of a head; even, since rotary positions turn them in pairs
LONGEST_TURN = 10_000.0  # Su et al. 2021: wavelengths of the turns run from 2 pi to 2 pi times this


class Block(nn.Module):
    """Attention over what was read so far, then a feed-forward layer, each added to what came in."""

    def __init__(self, width: int, inner: int, window: int | None) -> None:
        super().__init__()
        if width % HEAD_WIDTH:
            raise ValueError(f"a Transformer of {HEAD_WIDTH} channels a head cannot be {width} wide")
        self.heads, self.window = width // HEAD_WIDTH, window
        self.before_attention, self.before_inner = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Output [B, T, width] of inputs [B, T, width], where no position knows a later one."""
        lanes, length, width = inputs.shape
        projected = self.project(self.before_attention(inputs)).view(lanes, length, 3, self.heads, HEAD_WIDTH)
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # three of [B, heads, T, channels]
        query, key = turned(query), turned(key)
        if self.window is None:
            seen = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=sees(length, self.window))
        inputs = inputs + self.mix(seen.transpose(1, 2).reshape(lanes, length, width))
        mixed: Tensor = inputs + self.inner(self.before_inner(inputs))
        return mixed


def turned(vectors: Tensor) -> Tensor:
    """Turn channel pairs by angles that grow with position (rotary positions, Su et al. 2021, eq. 34); [..., T, D].

    A product of two turned vectors depends on how far apart they stand and on nothing else: any length is defined.
    """
    length, width = vectors.shape[-2:]
    rates = LONGEST_TURN ** -(torch.arange(width // 2, dtype=vectors.dtype) / (width // 2))
    angles = torch.arange(length, dtype=vectors.dtype).unsqueeze(-1) * rates  # [T, D/2]
    first, second = vectors[..., : width // 2], vectors[..., width // 2 :]
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def sees(length: int, window: int) -> Tensor:
    """Whether position t attends to position s: itself and the window - 1 before it; bool [T, T]."""
    apart = torch.arange(length).unsqueeze(-1) - torch.arange(length)
    return (apart >= 0) & (apart < window)


def reach(layers: int, window: int) -> int:
    """Symbols back from an output to the farthest input that can touch it: each layer adds window - 1."""
    return layers * (window - 1)


class Transformer(nn.Module):
    """Symbols in, a score for each answer out, at every position.

    window : symbols that each layer sees, its own included; None for all of them.   width : a multiple of 16.
    """

    def __init__(
        self, n_symbols: int, n_answers: int, *, layers: int, width: int, inner: int, window: int | None
    ) -> None:
        super().__init__()
        self.rows = nn.Embedding(n_symbols, width)
        self.blocks = nn.ModuleList(Block(width, inner, window) for _ in range(layers))
        self.last = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_answers)

    def forward(self, symbols: Tensor) -> Tensor:
        """Read symbols int64 [B, T]; gives scores [B, T, answers]."""
        stream: Tensor = self.rows(symbols)
        for block in self.blocks:
            stream = block(stream)
        scores: Tensor = self.head(self.last(stream))
        return scores

    def initialise(self, generator: torch.Generator) -> None:
        """Draw matrices from a normal of 1/sqrt(inputs), rows of 1, biases 0, and leave the norms as they are."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.startswith("rows"):
                    weight.normal_(0, 1, generator=generator)
                elif weight.dim() == 2:
                    weight.normal_(0, 1 / math.sqrt(weight.shape[1]), generator=generator)
                elif "bias" in name:
                    weight.zero_()

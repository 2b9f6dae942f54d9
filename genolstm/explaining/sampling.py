"""Sequences that a model writes: each symbol drawn from what it predicts after all symbols before it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import Codes
from genolstm.markov import MarkovModel, next_symbols
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.explaining import SampleSettings

PROMPT_STEPS = 512  # symbols of a prompt read at a time


class Sampled(NamedTuple):
    """Drawn sequences. codes : uint8 [n, length].

    bits : mean -log2 P of the drawn symbols under the model, at temperature 1.   entropy : mean of the entropy of its
    predictions at the same places, which `bits` equals, up to chance, where the temperature is 1.
    """

    codes: Codes
    bits: float
    entropy: float


@torch.inference_mode()
def sample(
    model: NextSymbolModel,
    settings: SampleSettings,
    *,
    prompt: Codes | None = None,
    on_progress: Callable[[float, int], None] | None = None,
) -> Sampled:
    """Draw sequences, each from its own stream of random numbers.

    prompt : codes read before the first symbol; without one the model stands at the beginning of a contig.
    on_progress : called with the fraction done and the symbols drawn.
    """
    codes = np.zeros((settings.number, settings.length), dtype=np.uint8)
    sums = np.zeros(2)
    for first in range(0, settings.number, settings.batch):
        rows = slice(first, min(first + settings.batch, settings.number))

        def show(step: int, rows: slice = rows) -> None:
            done = rows.start * settings.length + (rows.stop - rows.start) * step
            if on_progress:
                on_progress(done / codes.size, done)

        sums += _draw(model, settings, prompt, codes[rows], first, show)
    bits, entropy = (sums / codes.size).tolist()
    return Sampled(codes, bits, entropy)


def _draw(
    model: NextSymbolModel,
    settings: SampleSettings,
    prompt: Codes | None,
    codes: Codes,
    first: int,
    show: Callable[[int], None],
) -> NDArray[np.float64]:
    """Fill rows of codes [n, length]; sums of bits and of entropies. first : number of the first sequence."""
    n, device, unknown = len(codes), model.head.weight.device, model.alphabet.unknown
    chance = np.stack([_numbers(settings, first + row) for row in range(n)])
    before = np.append(np.uint8(unknown), np.zeros(0, np.uint8) if prompt is None else prompt)
    state = model.initial_state(n)
    for at in range(0, len(before), PROMPT_STEPS):
        read = torch.from_numpy(before[at : at + PROMPT_STEPS].astype(np.int64)).to(device).expand(n, -1)
        output = model.forward(read, state)
        state = output.state
    sums = np.zeros(2)
    for step in range(settings.length):
        logits = output.logits[:, -1].double().cpu().numpy()
        log = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        drawn = _drawn(log, settings.temperature, chance[:, step])
        codes[:, step] = drawn
        sums -= log[np.arange(n), drawn].sum() / np.log(2), (np.exp(log) * log).sum() / np.log(2)
        output = model.forward(torch.from_numpy(drawn[:, None]).to(device), state)
        state = output.state
        if step % PROMPT_STEPS == 0:
            show(step)
    return sums


def _numbers(settings: SampleSettings, sequence: int) -> NDArray[np.float64]:
    """Random numbers of one sequence, a symbol each."""
    return spawn(settings.seed, "sample", sequence).random(settings.length)


def _drawn(log: NDArray[np.float64], temperature: float, chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Symbols by the inverse of the distribution function; the likeliest at temperature 0. log : [n, symbols]."""
    if temperature == 0:
        likeliest: NDArray[np.int64] = log.argmax(axis=1)
        return likeliest
    scaled = log / temperature
    p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return _inverse(p, chance)


def _inverse(p: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.int64]:
    reached = p.cumsum(axis=1)
    below: NDArray[np.int64] = (reached < (chance * reached[:, -1])[:, None]).sum(axis=1, dtype=np.int64)
    return below


def sample_markov(markov: MarkovModel, settings: SampleSettings) -> Codes:
    """Draw as many sequences of the same length from a Markov model; uint8 [n, length]."""
    codes = np.zeros((settings.number, settings.length), dtype=np.uint8)
    chance = np.stack([spawn(settings.seed, "sample markov", row).random(settings.length) for row in range(len(codes))])
    for step in range(settings.length):
        context = codes[:, max(0, step - markov.counts.max_order) : step]
        codes[:, step] = _inverse(next_symbols(markov, context), chance[:, step])
    return codes

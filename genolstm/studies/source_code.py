"""Brackets of real text, this package's own sources: whether a closing one is foreseen from its opening one."""

import io
import tokenize
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import genolstm
from genolstm.estimate import Estimate
from genolstm.seeds import spawn
from genolstm.settings.model import CellName
from genolstm.settings.study import StudySettings
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import claimed, percentiles, written
from genolstm.studies.learning import Architecture, Batch, built, parameter_count, train

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAIRS = {"(": ")", "[": "]", "{": "}"}
FIRST, LAST = 32, 126  # characters with codes of their own, the line end beside them; all others share one
NEWLINE, OTHER = LAST - FIRST + 1, LAST - FIRST + 2
N_SYMBOLS = OTHER + 1
TEST_FRACTION, VALID_FRACTION = 0.2, 0.1  # of the files
WINDOW = 512  # characters read before a closing bracket, from an empty state
NEAR = 32  # characters of the shortened reading: the opening bracket lies before them
FAR = 64  # characters from which on a bracket is far
BINS = (2, 16, 64, 512)  # distances, half open
MOST_BRACKETS = 400  # judged of each bin
ORDERS = range(1, 11)  # characters that the k-gram model may see; the best on validation files is taken
ROWS, LENGTH = 16, 256
RESAMPLES = 1000
TRAIN_RATE = 5e-3
BASE = np.uint64(1_000_003)  # of the rolling hash of a context


class Size(NamedTuple):
    """Size of a run: parameters of the network, steps of training."""

    parameters: int
    steps: int


class Brackets(NamedTuple):
    """Pairs in some files. file, opening, closing : int64 [N]; file is an index, the others places within it."""

    file: Ints
    opening: Ints
    closing: Ints


def size_of(settings: StudySettings) -> Size:
    """Sizes of a quick run, or of a full one."""
    return Size(30_000, 150) if settings.quick else Size(120_000, 1200)


def encoded(text: str) -> Ints:
    """Codes of characters, int64 [len(text)]."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    codes = np.where((points >= FIRST) & (points <= LAST), points - FIRST, OTHER)
    return np.where(points == ord("\n"), NEWLINE, codes)


def own_sources() -> list[str]:
    """Text of every module of this package, in the order of their paths."""
    root = Path(genolstm.__file__).parent
    return [path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))]


def pairs_in(text: str) -> list[tuple[int, int]]:
    """Places of opening and closing brackets that belong together, as Python's own tokenizer finds them."""
    lines = np.cumsum([0, *(len(line) for line in text.splitlines(keepends=True))])
    stack: list[int] = []
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.OP:
            continue
        place = int(lines[token.start[0] - 1]) + token.start[1]
        if token.string in PAIRS:
            stack.append(place)
        elif token.string in PAIRS.values():
            found.append((stack.pop(), place))
    return found


def brackets_of(texts: list[str], files: Ints) -> Brackets:
    """All pairs of some files."""
    rows = [(file, *pair) for file in files.tolist() for pair in pairs_in(texts[file])]
    return Brackets(*np.array(rows, dtype=np.int64).reshape(-1, 3).T)


def kgram_bits(text: Ints, contexts: Ints, following: Ints, orders: range) -> Floats:
    """Bits of some characters by k-gram models with back-off, [orders, N].

    text : counted, int64 [L].   contexts : the characters before each, int64 [N, longest order].   following : [N].
    Each order gives the next shorter one the weight T / (n + T), T kinds of character after the context among n
    (Witten & Bell 1991, method C).
    """
    p = np.full(len(following), 1 / N_SYMBOLS)
    p = _backed_off(p, np.zeros(len(text), np.uint64), text, np.zeros(len(following), np.uint64), following)
    found = []
    hashes, mine = np.zeros(len(text), np.uint64), np.zeros(len(following), np.uint64)
    for k in orders:
        # the hash of the k characters before each place; places nearer than k to the start are left out
        shifted = np.concatenate([np.zeros(k, np.int64), text[:-k]]).astype(np.uint64)
        hashes = hashes * BASE + shifted + np.uint64(1)
        mine = mine * BASE + contexts[:, -k].astype(np.uint64) + np.uint64(1)
        p = _backed_off(p, hashes[k:], text[k:], mine, following)
        found.append(-np.log2(p))
    return np.array(found)


def _backed_off(
    shorter: Floats, hashes: NDArray[np.uint64], text: Ints, mine: NDArray[np.uint64], following: Ints
) -> Floats:
    """Probability of each following character with one more character of context."""
    contexts, inverse = np.unique(mine, return_inverse=True)
    place = np.minimum(np.searchsorted(contexts, hashes), len(contexts) - 1)
    met = contexts[place] == hashes
    counts = np.bincount(place[met] * N_SYMBOLS + text[met], minlength=len(contexts) * N_SYMBOLS)
    table = counts.reshape(len(contexts), N_SYMBOLS)
    n, kinds = table.sum(axis=1)[inverse], (table > 0).sum(axis=1)[inverse]
    seen = table[inverse, following]
    mixed: Floats = np.where(n > 0, (seen + kinds * shorter) / np.maximum(n + kinds, 1), shorter)
    return mixed


@torch.no_grad()
def bits_at_end(network: nn.Module, windows: Ints, following: Ints) -> Floats:
    """Bits of the character after each window, [N]; windows : int64 [N, T], read from an empty state."""
    found = []
    for part, wanted in zip(np.array_split(windows, max(1, len(windows) // 64)),
                            np.array_split(following, max(1, len(windows) // 64)), strict=True):  # fmt: skip
        scores = network(torch.from_numpy(part))[:, -1].double()
        found.append(
            nn.functional.cross_entropy(scores, torch.from_numpy(wanted), reduction="none").numpy() / np.log(2)
        )
    return np.concatenate(found)


class Judged(NamedTuple):
    """Bits of closing brackets, each [N].

    whole : by the network that reads the window.   near : that reads its last characters alone.   swapped : whose
    opening bracket is of another kind.   touched : whose character after the opening bracket is another.   kgram : by
    the k-gram model.
    """

    file: Ints
    distance: Ints
    whole: Floats
    near: Floats
    swapped: Floats
    touched: Floats
    kgram: Floats


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Train a network on most files of the package and judge the closing brackets of the others."""
    size, rng = size_of(settings), spawn(settings.seed, "source code")
    texts = own_sources()
    codes = [encoded(text) for text in texts]
    order = rng.permutation(len(texts))
    n_test, n_valid = round(TEST_FRACTION * len(texts)), round(VALID_FRACTION * len(texts))
    test, valid, past = order[:n_test], order[n_test : n_test + n_valid], order[n_test + n_valid :]
    counted = np.concatenate([codes[file] for file in past])
    network = built(
        Architecture("source LSTM", CellName.LSTM), N_SYMBOLS, N_SYMBOLS, parameters=size.parameters, seed=settings.seed
    )

    def draw(rng: np.random.Generator) -> Batch:
        rows = counted[rng.integers(len(counted) - LENGTH, size=ROWS)[:, None] + np.arange(LENGTH + 1)]
        return Batch(rows[:, :-1], rows[:, 1:])

    losses = train(network, draw, rng, steps=size.steps, learning_rate=TRAIN_RATE)
    on_progress(f"network trained: {losses[-20:].mean() / np.log(2):.2f} bits a character")
    best = _best_order(codes, counted, _drawn(brackets_of(texts, valid), rng))
    judged = _judge(network, codes, counted, _drawn(brackets_of(texts, test), rng), best, rng)
    claims = _claims(judged, rng, best)
    return Study(
        name="source-code",
        question="Is a closing bracket of real text foreseen from its opening one, far back, as no k-gram model can?",
        conclusion=_conclusion(judged, claims, best),
        claims=claims,
        tables={"bits": _table(judged, rng)},
        setting={
            "files": len(texts), "test_files": n_test, "characters": len(counted),
            "parameters": parameter_count(network), "steps": size.steps, "seed": settings.seed,
            "window": WINDOW, "near": NEAR, "order": best, "brackets": len(judged.file),
        },
    )  # fmt: skip


def _drawn(every: Brackets, rng: np.random.Generator) -> Brackets:
    """At most so many brackets of each bin of distances, all with a whole window before them."""
    distance = every.closing - every.opening
    kept: list[Ints] = []
    for low, high in pairwise(BINS):
        rows = np.flatnonzero((distance >= low) & (distance < high) & (every.closing >= WINDOW))
        kept.append(rng.choice(rows, min(MOST_BRACKETS, len(rows)), replace=False))
    rows = np.sort(np.concatenate(kept))
    return Brackets(*(column[rows] for column in every))


def _windows(codes: list[Ints], some: Brackets) -> tuple[Ints, Ints]:
    """Characters before each closing bracket [N, WINDOW], and the bracket [N]."""
    pairs = list(zip(some.file.tolist(), some.closing.tolist(), strict=True))
    before = np.stack([codes[file][end - WINDOW : end] for file, end in pairs])
    return before, np.array([codes[file][end] for file, end in pairs])


def _best_order(codes: list[Ints], counted: Ints, some: Brackets) -> int:
    """The order that foresees far closing brackets of the validation files best."""
    before, closing = _windows(codes, some)
    bits = kgram_bits(counted, before[:, -max(ORDERS) :], closing, ORDERS)
    far = some.closing - some.opening >= FAR
    return ORDERS[int(bits[:, far].mean(axis=1).argmin())]


def _judge(
    network: nn.Module, codes: list[Ints], counted: Ints, some: Brackets, best: int, rng: np.random.Generator
) -> Judged:
    before, closing = _windows(codes, some)
    rows, distance = np.arange(len(closing)), some.closing - some.opening
    kinds = encoded("".join(PAIRS))
    swapped, touched = before.copy(), before.copy()
    at = WINDOW - distance  # the opening bracket, in the window
    mine = (before[rows, at][:, None] == kinds).argmax(axis=1)
    swapped[rows, at] = kinds[(mine + rng.integers(1, len(kinds), size=len(rows))) % len(kinds)]
    beside = np.minimum(at + 1, WINDOW - 1)
    letters = encoded("abcdefghijklmnopqrstuvwxyz")
    touched[rows, beside] = letters[rng.integers(len(letters), size=len(rows))]
    return Judged(
        file=some.file,
        distance=distance,
        whole=bits_at_end(network, before, closing),
        near=bits_at_end(network, before[:, -NEAR:], closing),
        swapped=bits_at_end(network, swapped, closing),
        touched=bits_at_end(network, touched, closing),
        kgram=kgram_bits(counted, before[:, -best:], closing, range(1, best + 1))[-1],
    )


def _over_files(values: Floats, file: Ints, rng: np.random.Generator) -> Estimate:
    """Mean with an interval over files, which are drawn anew whole."""
    files, inverse = np.unique(file, return_inverse=True)
    sums, counts = np.bincount(inverse, weights=values), np.bincount(inverse)
    drawn = rng.multinomial(len(files), np.full(len(files), 1 / len(files)), size=RESAMPLES)
    return percentiles(float(values.mean()), (drawn @ sums) / (drawn @ counts))


def _claims(judged: Judged, rng: np.random.Generator, best: int) -> tuple[Claim, ...]:
    far = judged.distance >= FAR
    n = f"{int(far.sum())} brackets of {len(np.unique(judged.file[far]))} files never trained on"

    def difference(one: Floats, other: Floats) -> Estimate:
        return _over_files((one - other)[far], judged.file[far], rng)

    rows = (
        ("better than k-grams", f"A bracket opened {FAR} characters back or more costs fewer bits than by k-grams.",
         difference(judged.whole, judged.kgram), f"Less those of order {best}, the best on other files; {n}."),
        ("what is far counts", f"Reading all {WINDOW} characters foresees it better than the last {NEAR} alone.",
         difference(judged.whole, judged.near), f"The same network, its state emptied {NEAR} characters before; {n}."),
        ("the opening bracket counts", "With another kind of opening bracket the true closing one costs more.",
         difference(judged.whole, judged.swapped), f"Bits less those with the opening one exchanged; {n}."),
        ("it and not its neighbour", "To change the opening bracket costs more than to change what follows it.",
         difference(judged.touched, judged.swapped), f"Bits with a letter exchanged less those with the bracket; {n}."),
    )  # fmt: skip
    return tuple(claimed(name, statement, found, "bits", because, below=0) for name, statement, found, because in rows)


def _table(judged: Judged, rng: np.random.Generator) -> Table:
    rows = []
    for low, high in pairwise(BINS):
        inside = (judged.distance >= low) & (judged.distance < high)
        for name in ("whole", "near", "swapped", "touched", "kgram"):
            found = _over_files(getattr(judged, name)[inside], judged.file[inside], rng)
            rows.append((low, high, name, int(inside.sum()), *found))
    first, end, names, count, bits, bits_low, bits_high = zip(*rows, strict=True)
    return {
        "from": Column(np.array(first), "characters", "from the opening bracket on"),
        "to": Column(np.array(end), "characters", "half open"),
        "reading": Column(
            names, "", "whole: the window; near: its end; swapped: opening bracket exchanged; touched: a letter; kgram"
        ),
        "brackets": Column(np.array(count), "", "judged"),
        "bits": Column(np.array(bits), "bits", "of the closing bracket, mean"),
        "low": Column(np.array(bits_low), "bits", "95 % interval over files"),
        "high": Column(np.array(bits_high), "bits", ""),
    }


def _conclusion(judged: Judged, claims: tuple[Claim, ...], best: int) -> str:
    far = judged.distance >= FAR
    return (
        f"{FAR} characters from its opening one or more, a closing bracket costs the network"
        f" {judged.whole[far].mean():.2f} bits, a k-gram model of order {best} {judged.kgram[far].mean():.2f}"
        f" (difference {written(Estimate(*claims[0][3:6]))}); with the opening bracket exchanged"
        f" {judged.swapped[far].mean():.2f}, from the last {NEAR} characters alone {judged.near[far].mean():.2f}."
    )

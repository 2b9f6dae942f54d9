"""The forget gate at borders of open chromatin: planted, where it must be found, beside what a real genome shows."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes, encode
from genolstm.errors import InputError
from genolstm.estimate import Estimate
from genolstm.gates.enrichment import block_interval
from genolstm.model import NextSymbolModel
from genolstm.seeds import spawn
from genolstm.settings.model import ModelSettings
from genolstm.settings.study import StudySettings
from genolstm.store.gates import read_gates_tables
from genolstm.store.study import Claim, Column, Study, Table
from genolstm.studies.intervals import claimed, written
from genolstm.studies.next_symbols import train
from genolstm.studies.telemetry_trial import gates_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# each state of the chromatin: what follows a base, by its code, where order rules
STATES = np.array([[1, 2, 3, 0], [2, 3, 1, 0], [3, 0, 1, 2]])
ORDERLY = 0.8
BOUNDARY_ELEMENT = encode("ATATATA", DNA)  # stands at every border, and as often where nothing changes
KEYS = (
    encode("CCC", DNA),
    encode("GGG", DNA),
)  # before it: one says that a border comes, the other that none does; which one turns with each network
BETWEEN = 2  # random bases between key and element
DOMAIN = (30, 60)  # bases between two elements, half open
ROWS, LENGTH, TEST_ROWS = 1000, 256, 400
UNITS, BATCH, RATE, STEPS, QUICK_STEPS = 32, 32, 1e-2, 300, 150
NETWORKS, QUICK_NETWORKS = 4, 2  # even, so that either key stands for a border as often: letters alone cancel out
SHOWN = 12  # bases shown on either side of the element's end
RESAMPLES = 1000
ANNOUNCED, RANDOM = "announced", "unannounced"
AROUND, RESETS = "forget around", "resets around"
SIGNIFICANT = 0.05


class Places(NamedTuple):
    """Last bases of boundary elements: row and place in it [N, 2]; borders, and elements within a domain."""

    borders: Ints
    others: Ints


class Pooled(NamedTuple):
    """Gate around the ends of elements, of all networks. borders, others : [N, 2 SHOWN + 1].   blocks : [N] of each."""

    borders: Floats
    others: Floats
    border_blocks: Ints
    other_blocks: Ints


def made_genome(
    rng: np.random.Generator, rows: int, *, announced: bool, keys: tuple[Codes, Codes] = KEYS
) -> tuple[Codes, Places]:
    """Rows of a made genome [rows, LENGTH] whose state changes at borders.

    announced : the key before an element tells whether a border comes; else the keys are drawn, and nothing does.
    keys : the one of a border, and the one of none.
    """
    codes = np.zeros((rows, LENGTH), dtype=np.uint8)
    borders: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    for row in range(rows):
        state, bases = int(rng.integers(len(STATES))), [int(rng.integers(DNA.n_known))]
        while len(bases) < LENGTH:
            for _ in range(int(rng.integers(*DOMAIN))):
                follows = int(STATES[state][bases[-1]])
                bases.append(follows if rng.random() < ORDERLY else int(rng.integers(DNA.n_known)))
            border = bool(rng.random() < 1 / 2)
            key = keys[int(not border) if announced else int(rng.integers(2))]
            bases += [*key.tolist(), *rng.integers(DNA.n_known, size=BETWEEN).tolist(), *BOUNDARY_ELEMENT.tolist()]
            if SHOWN < len(bases) < LENGTH - SHOWN:
                (borders if border else others).append((row, len(bases) - 1))
            if border:
                state = (state + int(rng.integers(1, len(STATES)))) % len(STATES)
        codes[row] = bases[:LENGTH]
    return codes, Places(np.array(borders, dtype=np.int64), np.array(others, dtype=np.int64))


def pooled(settings: StudySettings, networks: int, steps: int, *, announced: bool) -> Pooled:
    """Train networks on made genomes and read the mean forget gate at elements of others."""
    found: list[list[NDArray[Any]]] = [[], [], [], []]
    for index in range(networks):
        rng = spawn(settings.seed, f"chromatin {ANNOUNCED if announced else RANDOM}", index)
        model = NextSymbolModel(ModelSettings(hidden=UNITS, forget_bias="1"), seed=settings.seed, index=index)
        keys = KEYS if index % 2 == 0 else KEYS[::-1]
        past, _ = made_genome(rng, ROWS, announced=announced, keys=keys)
        train(model, past, rng, steps=steps, batch=BATCH, learning_rate=RATE)
        codes, places = made_genome(rng, TEST_ROWS, announced=announced, keys=keys)
        gate = gates_of(model, codes).forget.mean(axis=2).astype(np.float64)
        for kind, rows in enumerate(places):
            found[kind].append(gate[rows[:, :1], rows[:, 1:] + np.arange(-SHOWN, SHOWN + 1)])
            found[kind + 2].append(index * TEST_ROWS + rows[:, 0])
    return Pooled(*(np.concatenate(each) for each in found))


def fall(each: Pooled, rng: np.random.Generator) -> Estimate:
    """Mean gate over the bases of elements at borders less that at the others; rows are drawn anew.

    No base of the new state has been read by then.
    """
    last = slice(SHOWN - len(BOUNDARY_ELEMENT) + 1, SHOWN + 1)
    border, other = (values[:, last].mean(axis=1) for values in (each.borders, each.others))
    found = [block_interval(values, blocks, rng, resamples=RESAMPLES)
             for values, blocks in ((border, each.border_blocks), (other, each.other_blocks))]  # fmt: skip
    difference = found[0].value - found[1].value
    reach = math.hypot(*(max(one.high - one.value, one.value - one.low) for one in found))
    return Estimate(difference, difference - reach, difference + reach)


def real_claims(path: str) -> tuple[list[Claim], dict[str, Column]]:
    """Claims on the borders that `genolstm gates --boundaries` tested. Raises InputError for a file without any."""
    edges: Mapping[str, Any] = read_gates_tables(Path(path)).edges
    if not edges or len(edges["kind"]) == 0:
        raise InputError(f"{path} holds no boundaries; run 'genolstm gates' again with --boundaries peaks.bed.")
    made = []
    for row, measure in enumerate(edges["measure"]):
        if measure not in (AROUND, RESETS):
            continue
        kind, direction, layer = (edges[name][row] for name in ("kind", "direction", "layer"))
        where = f"at the {kind} of an open region, read {direction} of it" if direction == "out" else (
            f"at the {kind} of an open region, read into it"
        )  # fmt: skip
        found = Estimate(*(float(edges[name][row]) for name in ("difference", "low", "high")))
        p = float(edges["p_adjusted"][row])
        claim = claimed(
            f"real: {kind}, {direction}, layer {layer}, {measure}",
            f"The forget gate is lower {where} than at places like it." if measure == AROUND
            else f"Resets are commoner {where} than at places like it.",
            found, "gate" if measure == AROUND else "of places",
            f"{int(edges['boundaries'][row]):,} borders, matched in k-mer and GC; permutation p {p:.2g} after"
            f" Bonferroni, below {SIGNIFICANT:g} wanted too.",
below=0 if measure == AROUND else None, above=None if measure == AROUND else 0,
        )  # fmt: skip
        made.append(claim._replace(holds=claim.holds and p < SIGNIFICANT, p=float(edges["p"][row])))
    columns = ("kind", "direction", "layer", "measure", "boundaries", "difference", "low", "high", "p", "p_adjusted")
    table = {
        name: Column(
            tuple(map(str, edges[name])) if name in ("kind", "direction", "measure") else np.asarray(edges[name])
        )
        for name in columns
    }
    return made, table


def study(settings: StudySettings, on_progress: Callable[[str], None]) -> Study:
    """Read the forget gate at borders of made genomes, and list what a gates file says of real ones.

    Raises InputError for a gates file without boundaries.
    """
    real, real_table = real_claims(settings.gates) if settings.gates else ([], {})
    networks, steps = (QUICK_NETWORKS, QUICK_STEPS) if settings.quick else (NETWORKS, STEPS)
    rng = spawn(settings.seed, "chromatin intervals")
    found = {}
    for way in (ANNOUNCED, RANDOM):
        found[way] = pooled(settings, networks, steps, announced=way == ANNOUNCED)
        on_progress(f"{way} borders")
    falls = {way: fall(each, rng) for way, each in found.items()}
    n = {way: f"{len(each.borders):,} borders and {len(each.others):,} like them; {networks} networks, rows drawn anew"
         for way, each in found.items()}  # fmt: skip
    claims = [
        claimed(
            "planted border found", "Where a made genome tells that its state will change, the forget gate is lower.",
            falls[ANNOUNCED], "gate", f"Over the bases of the same element; {n[ANNOUNCED]}.", below=0,
        ),
        Claim(
            "nothing told, nothing found", "Where nothing tells of the change, the gate is not lower.",
            not falls[RANDOM].high < 0, *falls[RANDOM], "gate", f"{n[RANDOM]}.",
        ),
        *real,
    ]  # fmt: skip
    lower = sum(claim.holds for claim in real)
    return Study(
        name="chromatin",
        question="Is the forget gate lower at borders of open chromatin?",
        conclusion=(
            f"At planted borders the gate differs by {written(falls[ANNOUNCED], 4)}, where nothing tells of them by"
            f" {written(falls[RANDOM], 4)}; "
            + (f"of {len(real)} claims on real borders {lower} hold." if real else "no real borders were given.")
        ),
        claims=tuple(claims),
        tables={"course": _course(found), **({"real": real_table} if real else {})},
        setting={
            "networks": networks, "steps": steps, "units": UNITS, "seed": settings.seed, "gates": settings.gates,
            "orderly": ORDERLY, "states": len(STATES),
        },
    )  # fmt: skip


def _course(found: Mapping[str, Pooled]) -> Table:
    offset = np.arange(-SHOWN, SHOWN + 1)
    return {
        "made": Column(tuple(way for way in found for _ in offset), "", "whether a key tells of the border"),
        "offset": Column(np.tile(offset, len(found)), "bp", "from the last base of the element"),
        "borders": Column(
            np.concatenate([each.borders.mean(axis=0) for each in found.values()]), "", "mean forget gate"
        ),
        "others": Column(np.concatenate([each.others.mean(axis=0) for each in found.values()]), "", "no border"),
    }

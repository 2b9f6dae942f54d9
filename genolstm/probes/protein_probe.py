"""``probe protein``: from a checkpoint and proteins, or a genome with genes, to a verdict for each target."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.alphabet import DNA, PROTEIN
from genolstm.model import NextSymbolModel, trained_model
from genolstm.probes.comparison import MULTICLASS, VALUES, ProbeComparison, verdict_of
from genolstm.probes.evaluation import TRAINED
from genolstm.probes.protein import (
    AHEAD,
    FRAME,
    PREFIX_TARGETS,
    UNITS,
    Places,
    drawn_residues,
    frame_places,
    prefix_places,
    require_parts,
)
from genolstm.probes.protein_chains import Chains, homology_left, residues_without_value, without_homologues
from genolstm.probes.protein_controls import (
    last_symbols,
    length_features,
    length_in_codons,
    nearest_bases,
    prefix_composition,
    recent_composition,
    recent_words,
)
from genolstm.probes.protein_sources import Source
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.settings.probe import States
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.states.sequences import states_in_sequences
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Records
from genolstm.store.results import ProbeResult

Progress = Callable[[float, int], None]
Features = Iterator[tuple[str, NDArray[np.float32]]]

SHUFFLED, CEILING = "shuffled", "prefix_composition"
NEVER_RIVALS = (TRAINED, SHUFFLED)


@dataclass(kw_only=True, eq=False)
class _Round:
    """Places of one kind, and the contests that are held there.

    before : where the states of these places begin among all that are read.
    """

    places: Places
    contests: dict[str, ProbeComparison]
    before: int


def probe_protein(
    checkpoint: Checkpoint,
    source: Source,
    settings: ProteinProbeSettings,
    *,
    device: torch.device,
    told: Callable[[str], None],
    progress: Progress,
) -> tuple[dict[str, ProbeResult], Records]:
    """Judge what the states know of proteins; gives target -> result, and what became of the records.

    told : called with a sentence as each step is done.   progress : called with the share done and symbols read.
    Raises InputError when a part has too few proteins.
    """
    chains, skipped, related = without_homologues(source.chains, settings)
    left = homology_left(chains)
    told(
        f"{len(chains.names):,} proteins ({_counted(chains)}); largest identity between a test protein and another"
        f" {left['largest_identity']:.2f} over {left['largest_identity_residues']} residues; {related:,} test proteins"
        " had a relative in the training part, which the probes do not see"
    )
    rounds, unknown = _rounds(chains, source.contigs, settings, told)
    said = {
        **source.definition, **_said(chains, settings, checkpoint, unknown), **left,
        "test_proteins_with_relatives_in_the_training_part": related,
    }  # fmt: skip
    if checkpoint.auxiliary:
        said["taught"] = ",".join(checkpoint.auxiliary.tasks)
        told(
            f"the model was taught {' and '.join(checkpoint.auxiliary.tasks)} while it was trained, its twins were not"
        )
    _fit_models(checkpoint, chains, rounds, settings, device, told, progress)
    for each in rounds:
        for name, features in _sequence_features(chains, each.places, settings):
            for target, contest in each.contests.items():
                if name != CEILING or target != FRAME:
                    contest.fit(name, features)
    told("judging on the test proteins")
    results = {
        target: _result(target, contest, each.places, chains, said)
        for each in rounds
        for target, contest in each.contests.items()
    }
    return results, replace(source.records, used=len(chains.names), skipped={**source.records.skipped, **skipped})


def _counted(chains: Chains) -> str:
    return ", ".join(f"{part.name.lower()} {int((chains.part == part).sum()):,}" for part in Part)


def _rounds(
    chains: Chains, contigs: tuple[str, ...], settings: ProteinProbeSettings, told: Callable[[str], None]
) -> tuple[list[_Round], int]:
    """Places and contests: of residues, and of a DNA model also of bases; and the places without a truth."""
    rng = spawn(settings.seed, "places in proteins")
    chain, residues = drawn_residues(
        chains, positions=settings.positions, shortest=settings.shortest, ahead=settings.ahead, rng=rng
    )
    places, unknown = prefix_places(chains, contigs, chain, residues, ahead=settings.ahead)
    require_parts(places)
    make = partial(_contest, settings=settings, told=told)
    rounds = [_Round(places=places, contests={t: make(t, places) for t in (*PREFIX_TARGETS, AHEAD)}, before=0)]
    if chains.genes:
        at_bases = frame_places(chains, contigs, chain, residues, spawn(settings.seed, "bases of codons"))
        rounds.append(_Round(places=at_bases, contests={FRAME: make(FRAME, at_bases)}, before=len(places.chain)))
    return rounds, unknown


def _contest(
    target: str, places: Places, settings: ProteinProbeSettings, told: Callable[[str], None]
) -> ProbeComparison:
    return ProbeComparison(
        target, MULTICLASS if target == FRAME else VALUES, places.truth[target], places.sites.part, places.sites.block,
        n_resamples=settings.resamples, seed=settings.seed, told=told,
    )  # fmt: skip


def _said(
    chains: Chains, settings: ProteinProbeSettings, checkpoint: Checkpoint, unknown: int
) -> dict[str, float | int | str]:
    """What is the same for all targets, in words and numbers."""
    reads = "the last base of a codon of the spliced mRNA" if chains.genes else "a residue"
    said: dict[str, float | int | str] = {
        "read": f"forward only, state after {reads}",
        "states": f"{settings.states}, all {checkpoint.model.layers} layers",
        "places": f"up to {settings.positions} of each protein, t from {settings.shortest} to L - {settings.ahead}",
        "residues_without_value": residues_without_value(chains),
    }
    return said | ({"places_without_truth": unknown} if unknown else {})


def _fit_models(
    checkpoint: Checkpoint, chains: Chains, rounds: list[_Round], settings: ProteinProbeSettings,
    device: torch.device, told: Callable[[str], None], progress: Progress,
) -> None:  # fmt: skip
    """Read the chains with one model after the other, so that the states of only one are held, and fit them."""
    chain = np.concatenate([each.places.chain for each in rounds])
    place = np.concatenate([each.places.place for each in rounds])
    reach = np.zeros(len(chains.names), dtype=np.int64)
    np.maximum.at(reach, chain, place + 1)
    to_read = int(reach.sum())
    names = [TRAINED, *(f"untrained_{twin}" for twin in range(1, settings.twins + 1))]
    for index, name in enumerate(names):
        told(f"reading {to_read:,} symbols with the {name} model, {index + 1} of {len(names)}")
        if name == TRAINED:
            model = trained_model(checkpoint.model, checkpoint.weights)
        else:
            model = NextSymbolModel(checkpoint.model, seed=settings.seed, index=index).eval()
        states = states_in_sequences(
            model.to(device), chains.sequence, chain, place, memories=settings.states is States.BOTH,
            told=partial(_show, progress, index, len(names), to_read),
        )  # fmt: skip
        for each in rounds:
            features = states[each.before : each.before + len(each.places.chain)]
            for contest in each.contests.values():
                contest.fit(name, features)
                if name == TRAINED:
                    contest.fit(SHUFFLED, features, contest.permuted(spawn(settings.seed, "shuffled labels")))


def _show(progress: Progress, place: int, of: int, to_read: int, read: int) -> None:
    """Progress of one of several models."""
    progress((place + read / to_read) / of, place * to_read + read)


def _sequence_features(chains: Chains, places: Places, settings: ProteinProbeSettings) -> Features:
    """Name and features of every control that sees the sequence alone."""
    alphabet = DNA if chains.genes else PROTEIN
    last = np.empty((len(places.chain), settings.window), dtype=np.uint8)
    for number in np.unique(places.chain):
        rows = np.flatnonzero(places.chain == number)
        last[rows] = last_symbols(
            chains.sequence(int(number)), places.place[rows], settings.window, alphabet.unknown
        )  # fmt: skip
    if FRAME in places.truth:  # t beside the bases read would give the frame away
        yield "length", length_in_codons(places.place + 1)
    else:
        lengths = (places.residues, places.place + 1) if chains.genes else (places.residues,)
        yield "length", length_features(*lengths)
    yield "composition", recent_composition(last, alphabet.n_known)
    yield "kmer", recent_words(last, alphabet.n_known)
    if FRAME in places.truth:
        yield "onehot", nearest_bases(last, settings.near, alphabet.n_known)
    yield CEILING, prefix_composition(chains.proteins, places.chain, places.residues)


def _result(
    target: str, contest: ProbeComparison, places: Places, chains: Chains, said: Mapping[str, Any]
) -> ProbeResult:  # fmt: skip
    """Open the test set of one target."""
    features = contest.feature_sets()
    of_prefix = target in PREFIX_TARGETS
    baselines = [name for name in features if name not in NEVER_RIVALS and not (of_prefix and name == CEILING)]
    differences = {name: contest.difference(TRAINED, name) for name in baselines}
    ranked = contest.question.ranked
    verdict, best = verdict_of(differences, features, ranked)
    twins = [name for name in features if name.startswith("untrained")]
    best_twin = max(twins, key=lambda name: features[name].scores[ranked].value)
    test = places.sites.part == Part.TEST
    definition = {"target": UNITS.get(target, ""), **said}
    if target == AHEAD:
        definition["target"] = "mean Kyte-Doolittle hydropathy of the residues that follow t"
    if target == FRAME:
        definition["target"] = "which base of its codon was read last, 0, 1 or 2"
        counts = np.bincount(places.sites.label[contest.train], minlength=3)
        definition["majority_accuracy"] = float((places.sites.label[test] == counts.argmax()).mean())
    if of_prefix:
        definition["ceiling"] = f"{CEILING} knows the whole prefix: it is no baseline here"
    return ProbeResult(
        target=target,
        sites=places.sites,
        offsets=(0,),
        verdict=verdict,
        best_control=best,
        features=features,
        differences=differences,
        selectivity=None,
        prevalence=None,
        homology=float(said["largest_identity"]),
        sweep=(),
        calibration=(),
        seams={},
        ranked=ranked,
        definition=definition,
        places={"chain": places.chain, "residues": places.residues},
        chains={
            "name": chains.names, "part": chains.part, "cluster": chains.cluster, "residues": chains.lengths,
        },
        standing=contest.standing(TRAINED, best_twin, CEILING) if of_prefix else None,
    )  # fmt: skip

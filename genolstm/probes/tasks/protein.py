"""``probe protein``: charge and hydropathy of the polypeptide made so far and ahead, and the frame of codons."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from genolstm.alphabet import DNA, PROTEIN
from genolstm.probes.protein_chains import Chains, homology_left, residues_without_value, without_homologues
from genolstm.probes.protein_controls import (
    last_symbols,
    length_features,
    length_in_codons,
    nearest_bases,
    prefix_composition,
    recent_composition,
    recent_kmers,
)
from genolstm.probes.protein_places import (
    FRAME,
    PREFIX_TARGETS,
    UNITS,
    Places,
    drawn_residues,
    frame_places,
    prefix_places,
    require_parts,
)
from genolstm.probes.protein_sources import Source
from genolstm.probes.run import run_tasks
from genolstm.probes.state_sources import sequence_states
from genolstm.probes.task import CONTINUOUS, MULTICLASS, Features, Log, ProbeTarget, ProbeTask
from genolstm.regions import Part
from genolstm.seeds import spawn
from genolstm.settings.probe import States
from genolstm.settings.protein import ProteinProbeSettings
from genolstm.settings.site_reading import SiteReading
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.files import Records
from genolstm.store.results import ProbeResult
from genolstm.stream.reader import GenomeReader

CEILING = "prefix_composition"
Definition = Mapping[str, float | int | str]


def probe_protein(
    checkpoint: Checkpoint,
    reader: GenomeReader,
    source: Source,
    settings: ProteinProbeSettings,
    *,
    log: Log,
) -> tuple[dict[str, ProbeResult], Records]:
    """Result of each target, and what became of the records.

    reader : with the trained model and the genome of the source.   log : called with a message as each step is done.
    Raises InputError when a part has too few proteins.
    """
    chains, skipped, related = without_homologues(source.chains, settings)
    left = homology_left(chains)
    log(
        f"{len(chains.names):,} proteins ({_counted(chains)}); largest identity between a test protein and another"
        f" {left['largest_identity']:.2f} over {left['largest_identity_residues']} residues; {related:,} test proteins"
        " had a relative in the training part, which the probes do not see"
    )
    rounds, unknown = _places(chains, source.genome.names, settings)
    definition = {
        **source.definition, **_definition(chains, settings, checkpoint, unknown), **left,
        "test_proteins_with_relatives_in_the_training_part": related,
    }  # fmt: skip
    if checkpoint.auxiliary:
        definition["taught"] = ",".join(checkpoint.auxiliary.tasks)
        log(f"the model was trained on {' and '.join(checkpoint.auxiliary.tasks)} too, the random-init models were not")
    rows = [(places.chain, places.place) for places in rounds]
    states = sequence_states(chains.sequence, rows, memories=settings.states is States.BOTH)
    tasks = [_task(chains, places, settings, definition) for places in rounds]
    results = run_tasks(tasks, states, reader, settings, log)
    return results, replace(source.records, used=len(chains.names), skipped={**source.records.skipped, **skipped})


def _counted(chains: Chains) -> str:
    return ", ".join(f"{part.name.lower()} {int((chains.part == part).sum()):,}" for part in Part)


def _places(chains: Chains, contigs: tuple[str, ...], settings: ProteinProbeSettings) -> tuple[list[Places], int]:
    """Places of residues, and of a DNA model also of bases; and how many have no truth."""
    rng = spawn(settings.seed, "places in proteins")
    chain, residues = drawn_residues(
        chains, positions=settings.positions, shortest=settings.shortest, ahead=settings.ahead, rng=rng
    )
    places, unknown = prefix_places(chains, contigs, chain, residues, ahead=settings.ahead)
    require_parts(places)
    if not chains.genes:
        return [places], unknown
    return [places, frame_places(chains, contigs, chain, residues, spawn(settings.seed, "bases of codons"))], unknown


def _definition(chains: Chains, settings: ProteinProbeSettings, checkpoint: Checkpoint, unknown: int) -> Definition:
    """What is the same for all targets, as text and numbers."""
    reads = "the last base of a codon of the spliced mRNA" if chains.genes else "a residue"
    common: dict[str, float | int | str] = {
        "read": f"forward only, state after {reads}",
        "states": f"{settings.states}, all {checkpoint.model.layers} layers",
        "places": f"up to {settings.positions} of each protein, t from {settings.shortest} to L - {settings.ahead}",
        "residues_without_value": residues_without_value(chains),
    }
    return common | ({"places_without_truth": unknown} if unknown else {})


def _task(chains: Chains, places: Places, settings: ProteinProbeSettings, definition: Definition) -> ProbeTask:
    """Task at some places, each read forward from the start of its chain."""
    return ProbeTask(
        sites=places.sites,
        targets=tuple(_target(name, places) for name in places.truth),
        controls=lambda: _controls(chains, places, settings),
        homology=lambda: float(definition["largest_identity"]),
        readings=(SiteReading((0,)),),
        definition=definition,
        places={"chain": places.chain, "residues": places.residues},
        chains={"name": chains.names, "part": chains.part, "cluster": chains.cluster, "residues": chains.lengths},
    )


def _target(name: str, places: Places) -> ProbeTarget:
    definition: dict[str, Any] = {"target": UNITS[name]}
    if name == FRAME:
        label, part = places.sites.label, places.sites.part
        commonest = np.bincount(label[part == Part.TRAIN], minlength=3).argmax()
        definition["majority_accuracy"] = float((label[part == Part.TEST] == commonest).mean())
    of_prefix = name in PREFIX_TARGETS
    if of_prefix:
        definition["ceiling"] = f"{CEILING} knows the whole prefix: it is no baseline here"
    return ProbeTarget(
        name=name, type=MULTICLASS if name == FRAME else CONTINUOUS, truth=places.truth[name],
        ceiling=CEILING if of_prefix else "", definition=definition,
    )  # fmt: skip


def _controls(chains: Chains, places: Places, settings: ProteinProbeSettings) -> Iterator[tuple[str, Features]]:
    """Name and features of every control that sees the sequence alone."""
    alphabet = DNA if chains.genes else PROTEIN
    last = np.empty((len(places.chain), settings.window), dtype=np.uint8)
    for number in np.unique(places.chain):
        rows = np.flatnonzero(places.chain == number)
        sequence = chains.sequence(int(number))
        last[rows] = last_symbols(sequence, places.place[rows], settings.window, alphabet.unknown)
    if FRAME in places.truth:  # t beside the bases read would give the frame away
        yield "length", length_in_codons(places.place + 1)
    else:
        lengths = (places.residues, places.place + 1) if chains.genes else (places.residues,)
        yield "length", length_features(*lengths)
    yield "composition", recent_composition(last, alphabet.n_known)
    yield "kmer", recent_kmers(last, alphabet.n_known)
    if FRAME in places.truth:
        yield "onehot", nearest_bases(last, settings.near, alphabet.n_known)
    else:
        yield CEILING, prefix_composition(chains.proteins, places.chain, places.residues)

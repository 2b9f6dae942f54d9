"""``probe splice``: donors and acceptors, each against decoys that carry the same dinucleotide."""

from collections.abc import Iterator, Sequence
from functools import partial

from genolstm.errors import InputError
from genolstm.probes.controls import (
    around_sites,
    composition,
    control_labels,
    kmer_counts,
    one_hot,
    shared_with_training,
)
from genolstm.probes.run import run_tasks
from genolstm.probes.scores import auprc_at_prevalence
from genolstm.probes.splice_sites import Target, splice_sites
from genolstm.probes.splits import probe_split
from genolstm.probes.state_sources import point_states
from genolstm.probes.task import BINARY, CONTROL_TASK, Features, Log, ProbeTarget, ProbeTask
from genolstm.readers.annotation import Transcript
from genolstm.regions import Part, Sites
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName
from genolstm.settings.probe import ProbeSettings, States
from genolstm.settings.site_reading import merged_reading
from genolstm.states.sites import readable
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult
from genolstm.stream.reader import GenomeReader


def probe_splice(
    checkpoint: Checkpoint,
    reader: GenomeReader,
    transcripts: Sequence[Transcript],
    settings: ProbeSettings,
    *,
    model_name: str,
    log: Log,
) -> tuple[dict[str, ProbeResult], dict[str, int]]:
    """Result of donors and of acceptors, and what was skipped by reason.

    reader : with the trained model; of several processes only the main one gets results.   log : called with a
    message as each step is done.
    Raises InputError when the test contigs were trained on, or a part has no site.
    """
    if checkpoint.model.alphabet is not AlphabetName.DNA:
        raise InputError(
            f"{model_name} reads {checkpoint.model.alphabet}, which has no splice sites; give a DNA model."
        )
    genome = reader.genome
    split = probe_split(checkpoint, genome, settings, model_name)
    reading = merged_reading(settings.readings)
    skipped: dict[str, int] = {}
    tasks = []
    for target in Target:
        found = splice_sites(
            target, genome, transcripts, split, settings, spawn(settings.seed, f"decoys of {target}")
        )  # fmt: skip
        inside = readable(found.sites, genome, reading.reach)
        if lost := int((found.sites.label[~inside] == 1).sum()):
            skipped[f"{target} at a contig's end"] = lost
        skipped |= found.skipped
        sites = found.sites[inside]
        log(f"{target}: {_counted(sites)}")
        _require_both_classes(target, sites)
        tasks.append(splice_task(target, genome, sites, found.prevalence, settings))
    source = point_states([task.sites for task in tasks], reading, memories=settings.states is States.BOTH)
    return run_tasks(tasks, source, reader, settings, log), skipped


def splice_task(target: str, genome: Genome, sites: Sites, prevalence: float, settings: ProbeSettings) -> ProbeTask:
    """True sites against decoys, with controls of the sequence around them.

    prevalence : of true sites among all candidates.
    """
    codes, n_known = around_sites(genome, sites, settings.window), genome.alphabet.n_known
    train, test = sites.part == Part.TRAIN, sites.part == Part.TEST
    fraction_true = float(sites.label[train].mean())

    def controls() -> Iterator[tuple[str, Features]]:
        yield "onehot", one_hot(codes, n_known)
        yield "kmer", kmer_counts(codes, settings.kmer, n_known)
        yield "composition", composition(codes, n_known)

    drawn = control_labels(codes, fraction_true, n_known, spawn(settings.seed, "control task"))
    probed = ProbeTarget(
        name=target, type=BINARY, truth=sites.label, label_controls={CONTROL_TASK: drawn}, prevalence=prevalence,
        more_scores={"auprc_natural": partial(auprc_at_prevalence, prevalence=prevalence)},
    )  # fmt: skip
    return ProbeTask(
        sites=sites, targets=(probed,), readings=settings.readings, components=settings.components, nn=settings.nn,
        controls=controls,
        homology=lambda: shared_with_training(codes, train, test, n_known),
    )  # fmt: skip


def _require_both_classes(target: Target, sites: Sites) -> None:
    """Fail before the genome is read, not after. Raises InputError."""
    for part in Part:
        label = sites.label[sites.part == part]
        n_true, n_decoys = int((label == 1).sum()), int((label == 0).sum())
        if not n_true or not n_decoys:
            raise InputError(
                f"the {part.name.lower()} part holds {n_true} {target}s and {n_decoys} decoys that can be read, and a"
                " probe needs both; name --train-contigs and --test-contigs with more genes."
            )


def _counted(sites: Sites) -> str:
    parts = [f"{part.name.lower()} {int((sites.label[sites.part == part] == 1).sum()):,}" for part in Part]
    return f"{int(sites.label.sum()):,} true sites ({', '.join(parts)}) and {int((sites.label == 0).sum()):,} decoys"

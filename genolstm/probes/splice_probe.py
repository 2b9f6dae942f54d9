"""``probe splice``: from a checkpoint, a genome and transcripts to a verdict for donors and one for acceptors."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.model import NextSymbolModel, trained_model
from genolstm.probes.evaluation import TRAINED, ModelStates, ProbeEvaluation, offsets_to_read
from genolstm.probes.splice import SpliceSites, Target, splice_sites
from genolstm.probes.splits import probe_split
from genolstm.ranks import ALONE, Ranks
from genolstm.readers.annotation import Transcript
from genolstm.regions import Part, Sites
from genolstm.seeds import spawn
from genolstm.settings.model import AlphabetName
from genolstm.settings.probe import ProbeSettings, States
from genolstm.settings.reading import StreamSettings
from genolstm.states.sites import readable, states_at
from genolstm.store.checkpoint import Checkpoint
from genolstm.store.genome import Genome
from genolstm.store.results import ProbeResult
from genolstm.stream.seams import Seams

Progress = Callable[[float, int], None]


def probe_splice(
    checkpoint: Checkpoint,
    genome: Genome,
    transcripts: Sequence[Transcript],
    settings: ProbeSettings,
    stream: StreamSettings,
    *,
    device: torch.device,
    model_name: str,
    told: Callable[[str], None],
    progress: Progress,
    ranks: Ranks = ALONE,
) -> tuple[dict[str, ProbeResult], dict[str, int]]:
    """Judge donors and acceptors; gives target -> result, and what was skipped by reason.

    told : called with a sentence as each step is done.   progress : called with share and bases read.
    ranks : each process reads contigs and strands of its own; rank 0 alone judges, and the others give no result.
    Raises InputError when the test contigs were trained on, or a part has no site.
    """
    if checkpoint.model.alphabet is not AlphabetName.DNA:
        raise InputError(
            f"{model_name} reads {checkpoint.model.alphabet}, which has no splice sites; give a DNA model."
        )
    split = probe_split(checkpoint, genome, settings, model_name)
    offsets = offsets_to_read(settings)
    skipped: dict[str, int] = {}
    found: dict[Target, SpliceSites] = {}
    for target in Target:
        rng = spawn(settings.seed, f"decoys of {target}")
        at = splice_sites(target, genome, transcripts, split, settings, rng)
        inside = readable(at.sites, genome, max(offsets))
        if lost := int((at.sites.label[~inside] == 1).sum()):
            skipped[f"{target} at a contig's end"] = lost
        found[target] = SpliceSites(sites=at.sites[inside], skipped=at.skipped, prevalence=at.prevalence)
        skipped |= at.skipped
        told(f"{target}: {_counted(found[target].sites)}")
        _require_both_classes(target, found[target].sites)
    judged = found if ranks.is_main_process else {}
    judges = {target: ProbeEvaluation(target, genome, at.sites, settings, told) for target, at in judged.items()}
    models = {TRAINED: lambda: trained_model(checkpoint.model, checkpoint.weights)} | {
        f"untrained_{twin}": lambda twin=twin: NextSymbolModel(checkpoint.model, seed=settings.seed, index=twin).eval()
        for twin in range(1, settings.twins + 1)
    }
    sites = {target: at.sites for target, at in found.items()}
    for place, (name, build) in enumerate(models.items()):
        told(f"reading the genome with the {name} model, {place + 1} of {len(models)}")
        states = _states(
            build().to(device), genome, sites, offsets, settings, stream, _part_of(progress, place, len(models)), ranks
        )
        for target, judge in judges.items():
            values, seams = states[target]
            judge.add_model(ModelStates(name=name, states=values, offsets=offsets, seams=seams.to_json()))
    for judge in judges.values():
        judge.add_sequence_controls()
    return {target: judge.verdict(found[target].prevalence) for target, judge in judges.items()}, skipped


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


def _states(
    model: NextSymbolModel,
    genome: Genome,
    sites: dict[Target, Sites],
    offsets: Sequence[int],
    settings: ProbeSettings,
    stream: StreamSettings,
    progress: Progress,
    ranks: Ranks,
) -> dict[Target, tuple[NDArray[np.float16], Seams]]:
    """States of one model at the sites of every target, from one reading of the genome."""
    together, rows = merged(list(sites.values()))
    to_read = 2 * int(genome.lengths[np.unique(together.contig)].sum()) // ranks.size
    seams = Seams()
    states = states_at(
        model, genome, together, offsets, stream, memories=settings.states is States.BOTH, seams=seams,
        told=lambda read: progress(min(1.0, read / to_read), ranks.size * read), ranks=ranks,
    )  # fmt: skip
    return {target: (states[mine], seams) for target, mine in zip(sites, rows, strict=True)}


def merged(several: list[Sites]) -> tuple[Sites, list[NDArray[np.int64]]]:
    """Put several lists of sites into one, sorted; and give where each one's rows went."""
    names = ("contig", "position", "strand", "label", "part", "block")
    columns = {name: np.concatenate([getattr(sites, name) for sites in several]) for name in names}
    order = np.lexsort((columns["strand"], columns["position"], columns["contig"]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    ends = np.cumsum([len(sites) for sites in several])
    sites = Sites(contigs=several[0].contigs, **{name: column[order] for name, column in columns.items()})
    return sites, np.split(place, ends[:-1])


def _part_of(progress: Progress, place: int, of: int) -> Progress:
    """Progress of one of several models."""

    def show(share: float, read: int) -> None:
        per_model = read / max(share, 1e-9)
        progress((place + share) / of, round((place + share) * per_model))

    return show


def _counted(sites: Sites) -> str:
    parts = [f"{part.name.lower()} {int((sites.label[sites.part == part] == 1).sum()):,}" for part in Part]
    return f"{int(sites.label.sum()):,} true sites ({', '.join(parts)}) and {int((sites.label == 0).sum()):,} decoys"

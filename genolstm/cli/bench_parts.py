"""What ``genolstm bench`` can time, and which options concern which part."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolstm.errors import UsageError
from genolstm.settings.model import ModelSettings, TrainableCell
from genolstm.settings.option import option
from genolstm.settings.quantities import parse_size
from genolstm.settings.reading import StreamSettings
from genolstm.settings.train import Precision, TrainSettings

if TYPE_CHECKING:
    from genolstm.bench.estimate import Estimate
    from genolstm.bench.timing import NotRun, Timing


class Part(StrEnum):
    """What can be timed."""

    TRAIN = "train"
    SCORE = "score"
    GATES = "gates"
    FASTA = "fasta"
    BAM = "bam"
    MODS = "mods"
    FIT = "fit"
    HDF5 = "hdf5"
    ALL = "all"


def _genome_size(text: str) -> int:
    if bases := parse_size(text):
        return bases
    raise UsageError("--estimate 0: a genome has at least one base; write for example 3.1G.")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Options of ``genolstm bench``.

    lanes, chunk : None takes what the part itself takes.   rounds : 0 takes those of the part, or of all.
    estimate : bases of a genome.   device : a torch device.
    """

    fasta: Path | None = option(None, "File to read for 'fasta'; a made one of 20 Mb otherwise.")
    bam: Path | None = option(None, "File to read for 'bam'; a made one of 1 M reads otherwise.")
    cell: TrainableCell = option(ModelSettings.cell, "lstm, gru or rnn.")
    layers: int = option(ModelSettings.layers, "Layers.", min=1)
    hidden: int = option(
        ModelSettings.hidden,
        "Units a layer. 'all' without it takes 128 and 512 for 'score', 256 for 'gates'.",
        min=1,
    )
    lanes: int | None = option(None, "Stretches read side by side; as the part itself by default.", min=1)
    chunk: int | None = option(None, "Bases a step; as the part itself by default.", min=1)
    precision: Precision = option(
        TrainSettings.precision, "Of the matrix products of 'train' and 'score'; all else is read in fp32."
    )
    rounds: int = option(
        0, "Alternating rounds, of which the median is reported. [9, and 3 for 'all']", min=1, shown=None
    )
    estimate: int | None = option(
        None,
        "Bases of a genome, as 3.1G: estimate how long train, score, gates and fasta take for it.",
        read=_genome_size,
        shown=None,
    )
    device: Any = None

    @property
    def model(self) -> ModelSettings:
        """Cell and shape that are timed."""
        return ModelSettings(cell=self.cell, layers=self.layers, hidden=self.hidden)

    def stream(self) -> StreamSettings:
        """Lanes and chunk for reading a genome."""
        return StreamSettings(lanes=self.lanes or StreamSettings.lanes, chunk=self.chunk or StreamSettings.chunk)


def _train(choice: Choice) -> "list[Timing]":
    from genolstm.bench.training import time_training

    settings = TrainSettings(
        lanes=choice.lanes or TrainSettings.lanes, chunk=choice.chunk or TrainSettings.chunk,
        precision=choice.precision, bases=10**15,
    )  # fmt: skip
    return time_training(choice.model, settings, choice.device, choice.rounds)


def _score(choice: Choice) -> "list[Timing]":
    from genolstm.bench.scoring import time_scoring

    stream = replace(choice.stream(), precision=choice.precision)
    return time_scoring(choice.model, stream, choice.device, choice.rounds)


def _gates(choice: Choice) -> "list[Timing]":
    from genolstm.bench.gates import time_gates

    return time_gates(choice.model, choice.stream(), choice.device, choice.rounds)


def _fasta(choice: Choice) -> "list[Timing]":
    from genolstm.bench.fasta import time_fasta

    return time_fasta(choice.fasta, choice.rounds)


def _bam(choice: Choice) -> "list[Timing | NotRun]":
    from genolstm.bench.alignments import time_bam

    return time_bam(choice.bam, choice.rounds)


def _mods(choice: Choice) -> "list[Timing]":
    from genolstm.bench.mods import time_mods

    return time_mods(choice.rounds)


def _fit(choice: Choice) -> "list[Timing]":
    from genolstm.bench.fitting import time_fitting

    return time_fitting(choice.rounds)


def _hdf5(choice: Choice) -> "list[Timing]":
    from genolstm.bench.hidden import time_hidden

    return time_hidden(choice.model, choice.rounds)


PARTS: "dict[Part, Callable[[Choice], Iterable[Timing | NotRun]]]" = {
    Part.TRAIN: _train,
    Part.SCORE: _score,
    Part.GATES: _gates,
    Part.FASTA: _fasta,
    Part.BAM: _bam,
    Part.MODS: _mods,
    Part.FIT: _fit,
    Part.HDF5: _hdf5,
}
UNITS_OF_ALL = {Part.SCORE: (128, 512), Part.GATES: (256,)}  # small and large; the default elsewhere
WITH_KERNEL = (Part.TRAIN, Part.SCORE, Part.GATES)  # parts whose baseline is a bare kernel of torch.nn
ESTIMATED = (*WITH_KERNEL, Part.FASTA)
CONCERNS: dict[str, tuple[Part, ...]] = {
    "fasta": (Part.FASTA,),
    "bam": (Part.BAM,),
    "cell": WITH_KERNEL,
    "layers": (*WITH_KERNEL, Part.HDF5),
    "hidden": (*WITH_KERNEL, Part.HDF5),
    "lanes": WITH_KERNEL,
    "chunk": WITH_KERNEL,
    "precision": (Part.TRAIN, Part.SCORE),
    "device": WITH_KERNEL,
    "estimate": ESTIMATED,
}


def refuse_idle(part: Part, typed: Iterable[str]) -> None:
    """Refuse options that a part does not use. Raises UsageError."""
    for name in typed:
        if part is not Part.ALL and part not in CONCERNS.get(name, (part,)):
            raise UsageError(f"--{name} has no effect on '{part}'; it concerns {', '.join(CONCERNS[name])}.")


def planned(part: Part, hidden: int, *, hidden_given: bool) -> list[tuple[Part, int]]:
    """What is timed in turn, with its units a layer; 'all' takes each part, some at several sizes."""
    if part is not Part.ALL:
        return [(part, hidden)]
    sizes = {} if hidden_given else UNITS_OF_ALL
    return [(each, units) for each in PARTS for units in sizes.get(each, (hidden,))]


def estimated(part: Part, timings: "list[Timing]", bases: int, choice: Choice) -> "list[Estimate]":
    """How long each of a part's own rates takes for a genome of so many bases; none for a part that reads no genome."""
    from genolstm.bench.estimate import of_one_pass, of_reading

    estimates = []
    for name, timing in {timing.part: timing for timing in timings}.items():
        label = f"{name}, {timing.shape}"
        if part in (Part.TRAIN, Part.FASTA):
            estimates.append(of_one_pass(label, bases, timing.rate, strands=2 if part is Part.TRAIN else 1))
        elif part in ESTIMATED:
            estimates.append(of_reading(label, bases, timing.rate, choice.stream()))
    return estimates

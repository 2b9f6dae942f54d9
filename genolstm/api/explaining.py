"""What a model's predictions depend on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import decode, encode
from genolstm.api.found import as_found
from genolstm.api.genomes import genes_of
from genolstm.api.models import Model
from genolstm.api.records import Column, Result, digests_of, made_by, read_provenance
from genolstm.errors import InputError, UsageError
from genolstm.explaining.motifs import MotifResult, motifs_of_file
from genolstm.explaining.sampling import sample as draw_samples
from genolstm.explaining.whole import dependency_map, intron_couplings
from genolstm.readers.annotation import Transcript
from genolstm.readers.region_text import parse_region
from genolstm.regions import Stretches, stretches_of
from genolstm.settings.explaining import DependencySettings, MotifSettings, SampleSettings
from genolstm.store.dependencies import DependencySummary, dependency_summary, open_dependencies
from genolstm.store.files import Records, refuse_existing
from genolstm.store.genome import Genome
from genolstm.stream.reader import GenomeReader
from genolstm.writers.motifs import Motif, write_jaspar, write_meme

if TYPE_CHECKING:
    from genolstm.figures.style import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Dependencies(Result):
    """A dependency map, or a test of introns.

    Attributes
    ----------
    stretches
        What was read.
    forward, reverse
        D of every base, float32 [bases, window]: of the base at distance 1, 2, ... after it, and before it. Empty
        where introns were tested.
    summary
        Strongest blocks, tests, and how many readings ended early.
    content
        The bytes of the file.
    """

    stretches: Stretches
    forward: NDArray[np.float32]
    reverse: NDArray[np.float32]
    summary: DependencySummary
    content: bytes

    def table(self) -> dict[str, Column]:
        """The strongest blocks, or the tests of introns.

        Returns
        -------
        dict of str to list
            Columns as ``genolstm schema dependencies`` names them; ready for ``pandas.DataFrame``.
        """
        rows: Sequence[Any] = self.summary.tests or self.summary.blocks
        return {name: [getattr(row, name) for row in rows] for name in (rows[0]._fields if rows else ())}

    def _write(self, path: Path) -> None:
        path.write_bytes(self.content)


def read_dependencies(path: Path) -> Dependencies:
    """Read a file of dependencies."""
    provenance, records = read_provenance(path)
    with open_dependencies(path) as file:
        bases = file.stretches.bases
        nothing = np.zeros((0, file.window), dtype=np.float32)
        forward, reverse = (file.values(strand, 0, bases) if file.has_map else nothing for strand in (0, 1))
        return Dependencies(
            provenance=provenance, records=records, stretches=file.stretches, forward=forward, reverse=reverse,
            summary=dependency_summary(file), content=path.read_bytes(),
        )  # fmt: skip


@as_found()
def dependencies(
    model: Model,
    genome: Genome,
    region: str,
    *,
    annotation: str | Path | None = None,
    **settings: Any,  # noqa: ANN401
) -> Dependencies:
    """Which bases the prediction of each base of a region depends on.

    Parameters
    ----------
    model
        Of DNA.
    genome
        To be read and changed.
    region
        As samtools writes it, counted from 1 with both ends in it: ``"III:1-1,000"``, or ``"III"``.
    annotation
        GTF or GFF3: drawn along the map; with ``introns=300`` its introns are tested in place of a map.
    **settings
        Any field of ``genolstm.settings.explaining.DependencySettings``: ``window=128``.

    Returns
    -------
    Dependencies
        D[i, j], largest change of the log2 odds of any base at j by any change of base i.

    Raises
    ------
    InputError
        The genome holds proteins or has no such contig, no intron fits, or a setting is not known.
    UsageError
        The region is none, ends past its contig, or introns are asked for without an annotation.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("small.h5")
    >>> found = gl.dependencies(model, genome, "chrC:1-60", window=16)
    >>> found.forward.shape
    (60, 16)
    """
    chosen = DependencySettings.from_json(settings, where="dependencies")
    model.check_reads(genome)
    if genome.alphabet.complement is None:
        raise InputError(f"{genome.path} holds proteins, and dependencies are read on both strands of DNA.")
    if chosen.introns and annotation is None:
        raise UsageError("introns are tested by an annotation: give one.")
    stretches = stretches_of([parse_region(region, genome.length_of)], genome.names)
    transcripts: Sequence[Transcript] = genes_of(annotation, genome).transcripts if annotation is not None else ()
    inputs = {"model": model.sha256, "genome": genome.sha256, **digests_of({"annotation": annotation})}
    came = made_by(
        "dependencies", {**chosen.to_json(), "regions": [region]}, inputs, device=model.device, seed=chosen.seed
    )
    reader = GenomeReader(model.evaluated(), genome, chosen.stream)
    run = intron_couplings if chosen.introns else dependency_map
    with TemporaryDirectory() as folder:
        path = Path(folder) / "dependencies.h5"
        run(reader, stretches, chosen, path, came, Records(), transcripts=transcripts)
        return read_dependencies(path)


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Sequences that a model wrote.

    Attributes
    ----------
    sequences
        Letters of each.
    bits
        Mean -log2 P of the drawn symbols under the model, in bits a symbol.
    entropy
        Mean entropy of its predictions at the same places, in bits.
    """

    sequences: tuple[str, ...]
    bits: float
    entropy: float


@as_found()
def sample(model: Model, number: int = 10, length: int = 1_000, *, prompt: str = "", **settings: Any) -> Samples:  # noqa: ANN401
    """Draw sequences from a model, symbol by symbol.

    Parameters
    ----------
    model
        Of any alphabet.
    number
        Sequences to draw.
    length
        Symbols of each.
    prompt
        Letters that are read before the first symbol is drawn.
    **settings
        Any field of ``genolstm.settings.explaining.SampleSettings``: ``temperature=0.5, seed=2``.

    Returns
    -------
    Samples
        The same letters as ``genolstm sample`` writes.

    Raises
    ------
    InputError
        The prompt holds a letter that is none, or a setting is not known.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> drawn = gl.sample(gl.load("model.h5"), 3, 50, temperature=0)
    >>> len(set(drawn.sequences)), len(drawn.sequences[0])
    (1, 50)
    """
    chosen = SampleSettings.from_json({"number": number, "length": length, **settings}, where="sample")
    alphabet = model.network.alphabet
    if strange := set(prompt.upper()) - set(alphabet.letters):
        raise InputError(f"the prompt holds '{sorted(strange)[0]}', which is none of {alphabet.letters}; correct it.")
    found = draw_samples(model.evaluated(), chosen, prompt=encode(prompt, alphabet) if prompt else None)
    return Samples(
        sequences=tuple(decode(row, alphabet) for row in found.codes), bits=found.bits, entropy=found.entropy
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Motifs:
    """Words around the places where a model's evidence lies.

    Attributes
    ----------
    results
        Of each target: motifs with their counts and enrichment, and how many places they were looked for around.
    """

    results: tuple[MotifResult, ...]

    @property
    def motifs(self) -> tuple[Motif, ...]:
        """All motifs, those of one target together.

        Returns
        -------
        tuple of Motif
            Empty where there is none.
        """
        return tuple(motif for result in self.results for motif in result.motifs)

    def table(self) -> dict[str, Column]:
        """A row for each motif.

        Returns
        -------
        dict of str to list
            Columns as the fields of `Motif`, without counts; ``low`` and ``high`` are the ends of the interval of
            ``enrichment``. Ready for ``pandas.DataFrame``.
        """
        names = [name for name in Motif.__dataclass_fields__ if name not in ("counts", "enrichment")]
        columns: dict[str, Column] = {name: [getattr(each, name) for each in self.motifs] for name in names}
        ends = zip(("enrichment", "low", "high"), range(3), strict=True)
        return columns | {name: [each.enrichment[at] for each in self.motifs] for name, at in ends}

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the motifs as text, the same bytes as the command writes.

        Parameters
        ----------
        path
            MEME's minimal format; or JASPAR's counts where it ends in ``.jaspar``.
        force
            Replace a file that exists.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        UsageError
            The file exists, or cannot be written.
        """
        target = Path(path)
        refuse_existing(target, force=force)
        if target.suffix == ".jaspar":
            write_jaspar(target, self.motifs)
        else:
            write_meme(target, self.motifs, self.results[0].background)
        return target


@as_found()
def motifs(source: Result | str | Path, genome: Genome, **settings: Any) -> Motifs:  # noqa: ANN401
    """Motifs around the places where bits are lowest, or where a probe's evidence is strongest.

    Parameters
    ----------
    source
        Scores or Predictions, or the file of either.
    genome
        That was read.
    **settings
        Any field of ``genolstm.settings.explaining.MotifSettings``: ``seqlets=500, reach=40``.

    Returns
    -------
    Motifs
        None in it where none stands on the places held back.

    Raises
    ------
    InputError
        The source is of another kind or genome, there are too few places, or a setting is not known.
    UsageError
        A setting cannot be.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("small.h5")
    >>> found = gl.motifs(gl.score(model, genome), genome, seqlets=300, reach=10)
    >>> len(found.table()["consensus"]) == len(found.motifs)
    True
    """
    chosen = MotifSettings.from_json(settings, where="motifs")
    if not isinstance(source, Result):
        return Motifs(results=tuple(motifs_of_file(Path(source), genome, chosen)))
    with TemporaryDirectory() as folder:
        path = source.save(Path(folder) / "source.h5")
        return Motifs(results=tuple(motifs_of_file(path, genome, chosen)))


@as_found()
def region_figure(region: str, *sources: Result | str | Path, annotation: str | Path | None = None) -> "Figure":
    """Bits, probabilities, changes, gates, predictions and genes of a region, in panels of one x axis.

    Parameters
    ----------
    region
        As samtools writes it: ``"III:1,001-1,200"``; up to 250 bases show a sequence logo.
    *sources
        Scores, changes or predictions, or files of these or of gates.
    annotation
        GTF or GFF3, drawn below the panels.

    Returns
    -------
    matplotlib.figure.Figure
        With title and caption; no window is opened.

    Raises
    ------
    InputError
        Sources are of different genomes or hold nothing of the region, or it is too long.
    UsageError
        The region is none.

    Examples
    --------
    >>> model, genome = gl.load("model.h5"), gl.open_genome("small.h5")
    >>> drawn = gl.region_figure("chrC:1-60", gl.all_snvs(model, genome, "chrC:1-60"))
    >>> len(drawn.axes)
    1
    """
    # matplotlib takes half a second to load, and most calls draw nothing
    from genolstm.explaining.region import picture_of_region  # noqa: PLC0415
    from genolstm.figures.style import titled  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        paths = [
            each.save(Path(folder) / f"{number}.h5") if isinstance(each, Result) else Path(each)
            for number, each in enumerate(sources)
        ]
        return titled(picture_of_region(paths, region, Path(annotation) if annotation else None))

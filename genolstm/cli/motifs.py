"""``genolstm motifs``: words around the places where a model's evidence lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genolstm.cli.command import command
from genolstm.cli.figures import write_pictures
from genolstm.cli.options import GenomeFile, Output, ResultOptions, refuse_all
from genolstm.cli.terminal import Task, log
from genolstm.settings.explaining import MotifSettings
from genolstm.settings.option import option

if TYPE_CHECKING:
    from genolstm.explaining.motifs import MotifResult


@dataclass(frozen=True, kw_only=True)
class MotifFiles:
    """Files beside the motifs."""

    jaspar: Path | None = option(None, "Also write the motifs as JASPAR's matrices of counts.")


@command(settings_file=True)
def motifs(
    source: Annotated[
        Path, typer.Argument(help="Result file of 'genolstm score' or 'genolstm predict'.", show_default=False)
    ],
    genome: GenomeFile,
    output: Output,
    files: MotifFiles,
    settings: MotifSettings,
    run: ResultOptions,
) -> None:
    """Find motifs around the places where bits are lowest, or where a probe's evidence is strongest, as MEME text.

    Each place is held against others of the same contig with weaker evidence and the same composition. Words are looked
    for on half of the blocks of the genome, aligned to weight matrices, and judged on the other half: enrichment with
    its interval, and p of Fisher's exact test corrected for all that were tried. Where none stands, 'no motif' is said.

    Example: genolstm motifs predictions.h5 genome.h5 -o motifs.meme --jaspar motifs.jaspar --figure motifs.svg
    """
    from genolstm.explaining.motifs import motifs_of_file
    from genolstm.figures.motifs import motif_picture
    from genolstm.figures.style import styled
    from genolstm.store.genome import open_genome
    from genolstm.writers.motifs import write_jaspar, write_meme

    task = Task("motifs", run, seed=settings.seed)
    refuse_all([output, files.jaspar], [source, genome], run)
    results = motifs_of_file(source, open_genome(genome), settings)
    found = [motif for result in results for motif in result.motifs]
    write_meme(output, found, results[0].background)
    if files.jaspar:
        write_jaspar(files.jaspar, found)
        log.info("wrote %s", files.jaspar)
    if run.figure:
        with styled():
            pictures = [motif_picture(each.target, each.motifs) for each in results if each.motifs]
        write_pictures(pictures, run.figure, output)
    _report(results, output, task)


def _report(results: "list[MotifResult]", output: Path, task: Task) -> None:
    for result in results:
        log.info(
            "%s: %s places, %s matched%s; %d matrices tried on the half held back", result.target,
            f"{result.seqlets:,}", f"{result.matched:,}",
            f" ({result.unmatched:,} left out without a match)" if result.unmatched else "", result.tested,
        )  # fmt: skip
        for motif in result.motifs:
            where = "anywhere" if motif.offset is None else f"at {motif.offset:+d}"
            log.info(
                "  %s %s %s: %d of %d places, %d of %d matched; enrichment %+.2f [%+.2f, %+.2f] log2, corrected p %.2g",
                motif.name, motif.consensus, where, motif.hits, motif.seqlets, motif.background_hits, motif.background,
                *motif.enrichment, motif.p_adjusted,
            )  # fmt: skip
        if not result.motifs:
            log.info("  %s: no motif", result.target)
    summary = {
        "targets": {
            result.target: {
                "seqlets": result.seqlets, "matched": result.matched, "unmatched": result.unmatched,
                "tested": result.tested, "background": list(result.background),
                "motifs": [
                    {
                        "name": each.name, "consensus": each.consensus, "offset": each.offset, "sites": each.sites,
                        "hits": each.hits, "background_hits": each.background_hits, "of": each.seqlets,
                        "of_background": each.background, "enrichment": list(each.enrichment), "p": each.p,
                        "p_adjusted": each.p_adjusted, "counts": each.counts.tolist(),
                    }
                    for each in result.motifs
                ],
            }
            for result in results
        }
    }  # fmt: skip
    count = sum(len(result.motifs) for result in results)
    message = f"{count} motif{'' if count == 1 else 's'}" if count else "no motif"
    task.done(output, {}, summary, message=message)

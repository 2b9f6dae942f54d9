"""What stands beside the ratio of every variant: the same of a Markov model, and a percentile among changes like it."""

from collections.abc import Callable
from dataclasses import dataclass

from genolstm.alphabet import Codes
from genolstm.errors import InputError
from genolstm.markov import MarkovModel, fit_markov
from genolstm.model import NextSymbolModel
from genolstm.regions import Part, Region, Stretches, stretches_of
from genolstm.seeds import spawn
from genolstm.seen import Seen
from genolstm.settings.reading import VariantSettings
from genolstm.store.genome import Genome
from genolstm.stream.seams import Seams
from genolstm.variants.effects import Effects, effects_of
from genolstm.variants.kinds import Percentiles, drawn_changes, kinds_of
from genolstm.variants.markov_ratio import markov_ratios
from genolstm.variants.places import Alleles

TRAINING, ITSELF = "the model's training stretches", "this genome itself, the variants' own places among it"
HELD_OUT, ANY = "the model's test stretches", "all of this genome, of which nothing is in the model's test part"


@dataclass(frozen=True, kw_only=True)
class VariantControls:
    """Controls of a run. notes : name -> text: what the Markov model is counted on, where changes are drawn."""

    markov: MarkovModel | None
    percentiles: Percentiles | None
    notes: dict[str, str]

    def beside(self, effects: Effects, genome: Genome, alleles: Alleles, window: int) -> Effects:
        """The same effects with their controls."""
        kind = kinds_of(genome, alleles)
        ratio = effects.log_ratio.mean(axis=1)
        return effects._replace(
            kind=kind,
            markov=None if self.markov is None else markov_ratios(self.markov, genome, alleles, window),
            percentile=None if self.percentiles is None else self.percentiles.of(kind, ratio),
        )


NO_CONTROLS = VariantControls(markov=None, percentiles=None, notes={})


def controls_of(
    model: NextSymbolModel, genome: Genome, seen: Seen, settings: VariantSettings,
    *, on_progress: Callable[[float, int], None] | None = None,
) -> VariantControls:  # fmt: skip
    """Count the Markov model, and score the changes of the background.

    Raises InputError where there is no sequence for either.
    """
    notes: dict[str, str] = {}
    markov = percentiles = None
    train, test = seen.split.of(Part.TRAIN), seen.split.of(Part.TEST)
    if settings.markov:
        notes["markov_counted_on"] = TRAINING if seen.complete else ITSELF
        markov = fit_markov(_codes(genome, train if seen.complete else _whole(genome)), genome.alphabet,
                            release=genome.release)  # fmt: skip
    if settings.background:
        where = test if test.bases else _whole(genome)
        notes["percentiles_from"] = HELD_OUT if test.bases else ANY
        alleles, kinds = drawn_changes(genome, where, settings.background, spawn(settings.seed, "background"))
        if not len(alleles):
            raise InputError(f"{genome.path} holds no stretch of three known bases for --background; leave it out.")
        found = effects_of(model, genome, alleles, settings, seams=Seams(), on_progress=on_progress)
        percentiles = Percentiles(kinds, found.log_ratio.mean(axis=1))
    return VariantControls(markov=markov, percentiles=percentiles, notes=notes)


def _codes(genome: Genome, stretches: Stretches) -> list[Codes]:
    first = genome.starts[stretches.contig]
    spans = zip((first + stretches.start).tolist(), (first + stretches.end).tolist(), strict=True)
    return [genome.all_codes[start:end] for start, end in spans]


def _whole(genome: Genome) -> Stretches:
    return stretches_of(
        [Region(contig=name, start=0, end=length) for name, length in genome.length_of.items()], genome.names
    )

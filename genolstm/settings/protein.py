"""What makes proteins relatives, and how hidden states are probed for what a polypeptide is like."""

import math
from dataclasses import dataclass

from genolstm.errors import UsageError
from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.probe import AccessibilitySettings, ProbeSettings, States
from genolstm.settings.quantities import parse_names
from genolstm.settings.record import Settings
from genolstm.settings.sites import SitesSettings

MIN_PROTEIN_WINDOW = 4  # length of the longest k-mer that is counted


@dataclass(frozen=True, kw_only=True)
class HomologySettings(Settings):
    """What makes two proteins relatives.

    groups : letters that a k-mer takes for one; word : length of a k-mer.   near : residues within which the second
    k-mer on a diagonal must follow.   most_places, most_times_mean : a k-mer that occurs at more places than both (the
    second times the mean of all k-mers) starts no candidate.   link_score : BLOSUM62 score of a gapless segment that
    links two proteins.   candidate_score : the lower one from which pairs across a split are aligned.   aligned_pairs :
    of them, at most.   shortest : residues that an alignment must have for its identity to be reported.
    """

    groups: str = "A C DE FYW G H ILVM KR N P Q ST"
    word: int = 5
    near: int = 80
    most_places: int = 200
    most_times_mean: float = 20.0
    link_score: int = 65
    candidate_score: int = 40
    aligned_pairs: int = 2_000
    shortest: int = 50

    def __post_init__(self) -> None:
        letters = self.groups.replace(" ", "")
        if sorted(letters) != sorted(set(letters)) or not letters.isalpha():
            raise UsageError(f"groups '{self.groups}' must be letters of amino acids, each once, with blanks between.")
        for name in ("word", "near", "most_places", "link_score", "candidate_score", "aligned_pairs", "shortest"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 < self.most_times_mean < math.inf:
            raise UsageError(f"most_times_mean must be above 0, not {self.most_times_mean}.")


@dataclass(frozen=True, kw_only=True)
class ProteinProbeSettings(Settings):
    """How hidden states are probed for what the polypeptide made so far is like.

    positions : places drawn in each protein.   shortest : residues that a prefix has at least.   ahead : residues that
    follow, whose hydropathy is predicted.   states : 'h', or 'h+c' to read the memory c beside the hidden state. twins
    : random-init models of the same shape.   window : symbols up to the place that the k-mer controls see. near : bases
    up to the place that the one-hot control of the codon frame sees.   genetic_code : number of NCBI's table.
    max_proteins : of each part used at most, drawn by the seed.   valid_share, test_share : of proteins that the
    model's own split does not name, in whole clusters; valid_share also of training contigs that are named, drawn in
    blocks of block_bp.
    """

    positions: int = option(8, "Places drawn in each protein.", min=1)
    shortest: int = 10
    ahead: int = 30
    states: States = option(States.BOTH, "Hidden state h, or h and the memory c.")
    twins: int = option_of(ProbeSettings, "twins")
    window: int = option(30, "Symbols up to the place that k-mer controls see.", "--control-window", min=4)
    near: int = 10
    genetic_code: int = option(1, "Number of NCBI's translation table.", min=1)
    resamples: int = option_of(ProbeSettings, "resamples")
    max_proteins: int = option(2_000, "Proteins of each part used at most.", min=1)
    valid_share: float = 0.15
    test_share: float = 0.2
    block_bp: int = 100_000
    train_contigs: tuple[str, ...] = option((), "Fit probes on genes of these contigs.", read=parse_names)
    test_contigs: tuple[str, ...] = option_of(ProbeSettings, "test_contigs")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "states", States(self.states))
        for name in ("train_contigs", "test_contigs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (
            "positions", "shortest", "ahead", "twins", "near", "genetic_code", "resamples", "max_proteins", "block_bp",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.window < MIN_PROTEIN_WINDOW:
            raise UsageError(f"window must be at least {MIN_PROTEIN_WINDOW}, the longest k-mer, not {self.window}.")
        for name in ("valid_share", "test_share"):
            if not 0 < getattr(self, name) < 0.5:
                raise UsageError(f"{name} must lie between 0 and 0.5, not {getattr(self, name)}.")


# what is the same in all of them: states, twins, resamples, seed, and how a genome is split
AnyProbeSettings = ProbeSettings | AccessibilitySettings | ProteinProbeSettings | SitesSettings

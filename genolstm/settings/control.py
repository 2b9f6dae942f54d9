"""How a table of features that another program made is judged beside controls."""

from dataclasses import dataclass, fields
from enum import StrEnum

from genolstm.settings.option import LARGEST_SEED, SAME_SEED, option, option_of
from genolstm.settings.record import Settings
from genolstm.settings.sites import LabelColumn, LabelKind, SitesSettings


class TableStates(StrEnum):
    """Which states are judged, as probe files say it: rows of a table, whose making is not known."""

    TABLE = "table"


@dataclass(frozen=True, kw_only=True)
class ControlSettings(Settings):
    """How a table of features is judged. All fields as in `SitesSettings`."""

    label: LabelColumn = option_of(SitesSettings, "label")
    labels_as: LabelKind = option_of(SitesSettings, "labels_as")
    positive: str = option_of(SitesSettings, "positive")
    window: int = option_of(SitesSettings, "window")
    nn: bool = option_of(SitesSettings, "nn")
    flank: int = option_of(SitesSettings, "flank")
    kmer: int = option_of(SitesSettings, "kmer")
    kmers: str = option_of(SitesSettings, "kmers")
    bin_bp: int = 10
    matches: int = option_of(SitesSettings, "matches")
    block_bp: int = option_of(SitesSettings, "block_bp")
    resamples: int = option_of(SitesSettings, "resamples")
    max_sites: int = option_of(SitesSettings, "max_sites")
    valid_share: float = 0.15
    train_contigs: tuple[str, ...] = option_of(SitesSettings, "train_contigs")
    valid_contigs: tuple[str, ...] = option_of(SitesSettings, "valid_contigs")
    test_contigs: tuple[str, ...] = option_of(SitesSettings, "test_contigs")
    seed: int = option(1, SAME_SEED, min=0, max=LARGEST_SEED)

    def __post_init__(self) -> None:
        checked = self.of_sites
        for each in fields(self):
            object.__setattr__(self, each.name, getattr(checked, each.name))

    @property
    def of_sites(self) -> SitesSettings:
        """The same settings as `probe sites` has them. Raises UsageError where one cannot be."""
        return SitesSettings(**{each.name: getattr(self, each.name) for each in fields(self)})

    @property
    def states(self) -> TableStates:
        """What is judged, as probe files say it."""
        return TableStates.TABLE

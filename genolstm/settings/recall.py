"""How a network is mixed with copies and counts of what was read before."""

from dataclasses import dataclass
from enum import StrEnum

from genolstm.errors import UsageError
from genolstm.settings.option import option
from genolstm.settings.quantities import parse_whole_numbers
from genolstm.settings.record import Settings

SHORTEST_WINDOW, LONGEST_WINDOW = 8, 32  # a window is a key of 64 bits
LONGEST_CONTEXT = 24
FEWEST_INDEX_BITS, MOST_INDEX_BITS = 10, 31


class RecallMode(StrEnum):
    """Which text recall looks in."""

    NONE = "none"
    FROZEN = "frozen"
    ONLINE = "online"


def _lengths(text: str) -> tuple[int, ...]:
    return parse_whole_numbers(text, "recall lengths")


def _orders(text: str) -> tuple[int, ...]:
    return parse_whole_numbers(text, "recall orders") if text.strip() else ()


@dataclass(frozen=True, kw_only=True)
class RecallSettings(Settings):
    """What is recalled, and how much memory it takes.

    recall : frozen looks in the model's training sequence alone, with weights fitted on its validation part; online
    also in all that has been scored so far, and goes on learning.
    recall_lengths : bases of the windows by which a copy is found.   recall_orders : bases of the contexts that are
    counted; () for copies alone.   recall_index_bits : most entries of one table, as a power of two.
    """

    recall: RecallMode = option(
        RecallMode.NONE,
        "Also mix the network with copies and counts of its training sequence (frozen), or also of what has been scored"
        " so far (online, which prints both apart).",
    )
    recall_lengths: tuple[int, ...] = option(
        (12, 16, 20, 32), "Bases of the windows by which a copy is found (comma separated, 8 to 32).", read=_lengths
    )
    recall_orders: tuple[int, ...] = option(
        (2, 3, 4, 6, 8, 9, 10, 11, 12, 16, 20, 24),
        "Bases of the contexts whose next bases are counted (comma separated, 1 to 24); '' for copies alone.",
        read=_orders,
    )
    recall_index_bits: int = option(
        28,
        "Most entries of one table of recall, as a power of two; 4 bytes an entry. Fewer save memory, and find less.",
        min=FEWEST_INDEX_BITS,
        max=MOST_INDEX_BITS,
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "recall", RecallMode(self.recall))
        for name, low, high in (
            ("recall_lengths", SHORTEST_WINDOW, LONGEST_WINDOW),
            ("recall_orders", 1, LONGEST_CONTEXT),
        ):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            spelled = name.replace("_", " ")
            if list(values) != sorted(set(values)):
                raise UsageError(f"{spelled} must rise, each once, unlike {', '.join(map(str, values))}.")
            if values and not (low <= values[0] and values[-1] <= high):
                raise UsageError(f"{spelled} must lie between {low} and {high}, unlike {', '.join(map(str, values))}.")
        if self.recall is RecallMode.NONE:
            for name in ("recall_lengths", "recall_orders", "recall_index_bits"):
                if getattr(self, name) != getattr(type(self), name):
                    raise UsageError(f"--{name.replace('_', '-')} is of --recall, which is not given; give both.")
        if not self.recall_lengths:
            raise UsageError("recall needs at least one window length: give --recall-lengths 12,16,20,32.")
        if not FEWEST_INDEX_BITS <= self.recall_index_bits <= MOST_INDEX_BITS:
            raise UsageError(
                f"recall index bits must lie between {FEWEST_INDEX_BITS} and {MOST_INDEX_BITS}, not"
                f" {self.recall_index_bits}."
            )

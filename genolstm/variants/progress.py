"""Progress of alleles that are scored in groups."""

from collections.abc import Callable


class GroupProgress:
    """Fraction of the alleles done: up to the group before, and within the present group.

    fraction : of the alleles that have been taken so far.
    """

    def __init__(self, on_progress: Callable[[float, int], None] | None, fraction: Callable[[], float]) -> None:
        self.on_progress, self.fraction = on_progress, fraction
        self.before = self.now = 0.0
        self.symbols_before = self.symbols = 0

    def group(self) -> None:
        """Begin a group: its records have been read."""
        self.before, self.now = self.now, self.fraction() or 1.0
        self.symbols_before += self.symbols
        self.symbols = 0

    def show(self, fraction: float, symbols: int) -> None:
        """Pass on how far a group is."""
        self.symbols = symbols
        if self.on_progress:
            self.on_progress(self.before + (self.now - self.before) * fraction, self.symbols_before + symbols)

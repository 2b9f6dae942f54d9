"""Text in pictures: a user's names as they are, never markup, and numbers."""

import math
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font

LONGEST = 28  # characters of a name beside an axis
ELLIPSIS = "\u2026"
NO_GLYPH = "\u25a1"  # the box that stands for a letter the font does not have
FEWEST_PLACES, MOST_PLACES = 3, 6  # after the point
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def plain(text: str, longest: int = LONGEST) -> str:
    """A name as matplotlib draws it literally, shortened in the middle, on one line.

    Dollar signs would start a formula, and a leading underscore would hide the name from legends.
    """
    name = literal(shortened(text, longest))
    return f" {name}" if name.startswith("_") else name


def shortened(text: str, longest: int = LONGEST) -> str:
    """A name on one line, its middle left out where it is longer."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    head = longest // 2
    return line[:head] + ELLIPSIS + line[len(line) - (longest - 1 - head) :]


def literal(text: str) -> str:
    """Text of which matplotlib draws every letter, none of it as a formula; line ends stay."""
    drawable = (letter if ord(letter) in _glyphs() or letter == "\n" else NO_GLYPH for letter in text)
    return "".join(drawable).replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def short(value: float) -> str:
    """A number with a prefix: 2.5 M, 40 k, 0.01."""
    for size, prefix in PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g} {prefix}"
    return f"{value:.4g}"


def interval(value: float, low: float, high: float, *, signed: bool = False, places: int | None = None) -> str:
    """A value with its interval: 0.965 [0.958, 0.972]. places : after the point; by default by the interval's width."""
    places = places_of(high - low) if places is None else places
    form = f"{'+' if signed else ''}.{places}f"
    shown = [round(each, places) + 0.0 for each in (value, low, high)]  # a rounded -0.0 is 0
    return f"{shown[0]:{form}} [{shown[1]:{form}}, {shown[2]:{form}}]"


def places_of(width: float) -> int:
    """Digits after the point that an interval of some width warrants."""
    known = math.isfinite(width) and width > 0
    return min(max(math.ceil(-math.log10(width)) + 1, FEWEST_PLACES), MOST_PLACES) if known else FEWEST_PLACES

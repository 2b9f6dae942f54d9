"""How files name a modification, and which names mark a row of the one wanted.

An unknown name is never taken for the one wanted, unless it plainly is the name of a sample or an item.
"""

import re
from enum import Enum

from genolstm.readers.call_kernels import CHEBI, LETTER

BISULFITE = (frozenset("m"), frozenset("mh"))  # bisulfite cannot distinguish 5mC from 5hmC: most write 5mC for both
CODES = {  # in lower case, but for single letters, which the SAM specification holds apart
    **{chr(letter): chr(letter) for letter in LETTER},
    **{str(number): chr(letter) for number, letter in zip(CHEBI, LETTER, strict=True)},
    "5mc": "m", "m5c": "m", "5-mc": "m", "5-methylcytosine": "m",
    "5hmc": "h", "hm5c": "h", "5-hmc": "h", "5-hydroxymethylcytosine": "h",
    "6ma": "a", "m6a": "a", "n6ma": "a", "n6-methyladenine": "a",
}  # fmt: skip
ANY_OF_BASE = {"C": BISULFITE, "A": (frozenset("a"),)}  # any modification of that base, as modkit --combine-mods writes
MEANINGS = {
    "21839": "4mC", "17802": "pseudouridine", "17596": "inosine", "h": "5hmC", "m": "5mC", "a": "6mA",
    "f": "5fC", "c": "5caC", "76792": "5hmC", "27551": "5mC", "28871": "6mA", "76794": "5fC", "76793": "5caC",
}  # fmt: skip
# 4mC, m1A, N6mA, 5hmU, 8oxoG, BrdU ...: what chemists call a modified base
CHEMICAL = re.compile(
    r"[A-Za-z]|[0-9]+|(?i:[nom]?[0-9]{0,2}'?-?(?:o|h|f|ca|gh?|ohm|hom|br|oxo|brd|id|cld|ed)?m?[0-9]{0,2}[acgtu]m?)"
    r"|(?i:.*(?:hydroxymethyl|formyl|carboxyl|cytosine|cytidine|adenine|adenosine|guanine|guanosine|thymine|thymidine"
    r"|uracil|uridine|inosine|pseu).*)"
)


class Named(Enum):
    """How the name of a row relates to the wanted modification."""

    MATCHING = 0
    ANY = 1  # any modification of its base
    UNNAMED = 2  # the name of an item or a sample
    OTHER = 3


def named(name: str, code: str) -> Named:
    """Sort a row by its name. code : letters wanted, as 'm'."""
    known = CODES.get(name if len(name) == 1 else name.lower())
    if known is not None:
        return Named.MATCHING if known in code else Named.OTHER
    if name in ANY_OF_BASE:
        return Named.ANY if frozenset(code) in ANY_OF_BASE[name] else Named.OTHER
    if name != "." and CHEMICAL.fullmatch(name):
        return Named.OTHER
    return Named.UNNAMED


def label(name: str) -> str:
    """Name of a modification in messages: the text in the file, and its meaning."""
    meaning = MEANINGS.get(name)
    return f"{name[:20]}, {meaning}" if meaning else name[:20]

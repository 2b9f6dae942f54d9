"""DNA and protein letters as uint8 codes: the one place that defines the unknown symbol.

A code is an index into ``Alphabet.letters``; the last letter is the unknown symbol (N, or X in proteins). The
unknown symbol is read by models but is never a target, so a head has ``n_known`` outputs and known codes are ``0 ..
n_known - 1``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """Letters and their codes.

    name : as ``settings.AlphabetName`` spells it.
    letters : the known letters in code order, then the unknown one.
    read_as : letters that are read as a known one (RNA's U as T); counted and reported.
    ambiguous : letters that become unknown (IUPAC codes other than the unknown letter itself); counted and reported.
    complement : [n_symbols] code of the pairing symbol, or None where there is no other strand.
    unit : what one symbol is called, for people.
    """

    name: str
    letters: str
    read_as: dict[str, str]
    ambiguous: str
    complement: Codes | None
    unit: str

    @property
    def n_symbols(self) -> int:
        """How many codes there are, the unknown one included."""
        return len(self.letters)

    @property
    def n_known(self) -> int:
        """How many codes can be a target."""
        return len(self.letters) - 1

    @property
    def unknown(self) -> int:
        """The code of N (DNA) or X (protein)."""
        return len(self.letters) - 1

    @property
    def unknown_letter(self) -> str:
        """The letter N (DNA) or X (protein)."""
        return self.letters[-1]


DNA = Alphabet(
    name="dna",
    letters="ACGTN",
    read_as={"U": "T"},
    ambiguous="RYSWKMBDHV",  # IUPAC-IUB 1984
    complement=np.array([3, 2, 1, 0, 4], dtype=np.uint8),
    unit="base",
)
PROTEIN = Alphabet(
    name="protein",
    letters="ACDEFGHIKLMNPQRSTVWYX",
    read_as={},
    ambiguous="BJOUZ*",  # B = D or N, J = I or L, Z = E or Q, O pyrrolysine, U selenocysteine, * stop
    complement=None,
    unit="residue",
)
ALPHABETS: dict[str, Alphabet] = {alphabet.name: alphabet for alphabet in (DNA, PROTEIN)}


def encode(text: str, alphabet: Alphabet) -> Codes:
    """Codes of a short known-good text, upper or lower case; uint8 [len(text)].

    Raises KeyError for a letter outside ``alphabet.letters``: files are read by ``readers.fasta``, which explains.
    """
    code = {letter: index for index, letter in enumerate(alphabet.letters)}
    return np.array([code[letter] for letter in text.upper()], dtype=np.uint8)


def decode(codes: Codes, alphabet: Alphabet) -> str:
    """Text of codes [n]."""
    return "".join(alphabet.letters[code] for code in codes)


def paired(codes: Codes, alphabet: Alphabet = DNA) -> Codes:
    """The pairing symbol of each code, same shape. Raises ValueError for an alphabet that has no other strand."""
    if alphabet.complement is None:
        raise ValueError(f"{alphabet.name} has no complement")
    return alphabet.complement[codes]


def reverse_complement(codes: Codes, alphabet: Alphabet = DNA) -> Codes:
    """The other strand of codes [n], read 5' to 3'. Raises ValueError for an alphabet that has no other strand."""
    return paired(codes[::-1], alphabet)

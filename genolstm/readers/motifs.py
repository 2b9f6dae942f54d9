"""Places of a motif such as CG or GATC in a genome, on both strands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import DNA, Codes
from genolstm.errors import UsageError

IUPAC = {  # Cornish-Bowden 1985; N of a genome is not known to be any of them
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
PAIRED = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")
SEARCH_BASES = 1 << 24  # searched together


@dataclass(frozen=True)
class Motif:
    """An IUPAC motif and the offset of its modified base, 0-based, read 5' to 3'."""

    letters: str
    offset: int

    def __str__(self) -> str:
        return f"{self.letters},{self.offset}"

    @property
    def base(self) -> str:
        """Letter of the modified base."""
        return self.letters[self.offset]

    @property
    def reverse(self) -> "Motif":
        """The motif as the forward strand spells it where it lies on the reverse strand."""
        return Motif(self.letters.translate(PAIRED)[::-1], len(self.letters) - 1 - self.offset)

    @property
    def is_palindrome(self) -> bool:
        """Whether the two strands always carry it together."""
        return self.letters == self.reverse.letters

    @property
    def is_cpg(self) -> bool:
        """Whether only the C of CpGs can be meant."""
        return self.letters[self.offset :].startswith("CG")

    @property
    def shift(self) -> int:
        """Bases from the forward strand's modified base to that of the reverse strand, in a palindrome."""
        return self.reverse.offset - self.offset


def parse_motif(text: str, bases: str) -> Motif:
    """Read 'CG,0'. bases : letters that may be at the offset. Raises UsageError for anything else."""
    letters, comma, offset = text.partition(",")
    letters = letters.upper()
    if not comma or not offset.isdecimal() or not letters or set(letters) - set(IUPAC) or int(offset) >= len(letters):
        raise UsageError(f"motif '{text}' is not IUPAC letters and an offset within them, as in CG,0 or GATC,1.")
    motif = Motif(letters, int(offset))
    if motif.base not in bases:
        raise UsageError(
            f"motif '{text}' has {motif.base} at its offset, where the modification sits on {' or '.join(bases)};"
            " change --motif or --code."
        )
    return motif


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """A genome as readers need it. codes : uint8, contigs end to end.   start, length : int64 [contigs]."""

    name: str
    contigs: tuple[str, ...]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    codes: Codes

    @property
    def index(self) -> Mapping[str, int]:
        """Contig name -> its place."""
        return {name: place for place, name in enumerate(self.contigs)}


@dataclass(frozen=True, kw_only=True, eq=False)
class MotifSites:
    """Every modified base of a motif: 4 bytes each.

    position : int32 [N], 0-based, by contig, then strand, then position.   first : int64 [2 contigs + 1]; those of
    contig c on strand s (0 forward, 1 reverse) are position[first[2 c + s] : first[2 c + s + 1]].
    """

    motif: Motif
    position: NDArray[np.int32]
    first: NDArray[np.int64]

    def at(self, contig: int, strand: int) -> NDArray[np.int32]:
        """Positions on one strand of a contig. strand : +1 or -1."""
        group = 2 * contig + (strand < 0)
        return self.position[self.first[group] : self.first[group + 1]]


def motif_sites(reference: Reference, motif: Motif) -> MotifSites:
    """Find a motif on both strands of all contigs."""
    groups = [
        np.concatenate([np.empty(0, np.int32), *_places(reference.codes[start : start + length], strand_motif)])
        for start, length in zip(reference.start.tolist(), reference.length.tolist(), strict=True)
        for strand_motif in (motif, motif.reverse)
    ]
    first = np.concatenate([[0], np.cumsum([len(group) for group in groups])]).astype(np.int64)
    return MotifSites(motif=motif, position=np.concatenate(groups), first=first)


def _places(codes: Codes, motif: Motif) -> Sequence[NDArray[np.int32]]:
    """Positions of the modified base of a motif on the forward strand, piece by piece."""
    width = len(motif.letters)
    matches = [np.array([letter in IUPAC[wanted] for letter in DNA.letters]) for wanted in motif.letters]
    pieces = []
    for begin in range(0, len(codes) - width + 1, SEARCH_BASES):
        end = min(begin + SEARCH_BASES, len(codes) - width + 1)
        hit = np.ones(end - begin, dtype=np.bool_)
        for step, match in enumerate(matches):
            hit &= match[codes[begin + step : end + step]]
        pieces.append((np.flatnonzero(hit) + (begin + motif.offset)).astype(np.int32))
    return pieces

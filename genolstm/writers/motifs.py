"""Motifs as text: MEME's minimal format, version 4, and JASPAR's matrices of counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm import __version__
from genolstm.alphabet import DNA
from genolstm.estimate import Estimate
from genolstm.writers.text_file import text_file

LETTERS = DNA.letters[: DNA.n_known]


@dataclass(frozen=True, kw_only=True)
class Motif:
    """A motif, and how much commoner it is around places of evidence than around matched ones, on places held back.

    name : unique in its file.   consensus : IUPAC letters.   counts : float64 [width, 4], of A, C, G, T in its sites.
    offset : of its first base from the place, in reading direction; None where it may lie anywhere in the seqlet.
    sites : that it was made from.   hits, seqlets : with the motif, and all, of those held back; `background_hits` of
    `background` are the same of matched places.   enrichment : log2 of the ratio of both fractions.   p : of Fisher's
    exact test, one-sided.   p_adjusted : by Holm 1979 for all motifs that were tested.
    """

    name: str
    consensus: str
    counts: NDArray[np.float64]
    offset: int | None
    sites: int
    hits: int
    seqlets: int
    background_hits: int
    background: int
    enrichment: Estimate
    p: float
    p_adjusted: float

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Of each letter at each base, float64 [width, 4]."""
        shares: NDArray[np.float64] = self.counts / self.counts.sum(axis=1, keepdims=True)
        return shares


def write_meme(path: Path, motifs: Sequence[Motif], background: Sequence[float]) -> None:
    """Write motifs for MEME, Tomtom, FIMO. background : frequencies of A, C, G, T.

    E= is the adjusted p. Raises InputError when the disk refuses.
    """
    with text_file(path) as out:
        out.write("".join(f"{line}\n" for line in _meme_lines(motifs, background)).encode())


def _meme_lines(motifs: Sequence[Motif], background: Sequence[float]) -> Iterator[str]:
    frequencies = " ".join(f"{letter} {share:.5f}" for letter, share in zip(LETTERS, background, strict=True))
    yield from ("MEME version 4", "", f"ALPHABET= {LETTERS}", "", "strands: +", "")
    yield from (f"Background letter frequencies (from genolstm {__version__})", frequencies, "")
    for motif in motifs:
        yield f"MOTIF {motif.name} {motif.consensus}"
        yield f"letter-probability matrix: alength= 4 w= {len(motif.counts)} nsites= {motif.sites}" + (
            f" E= {motif.p_adjusted:.2e}"
        )
        for row in motif.probabilities.tolist():
            yield "  " + "  ".join(f"{share:.6f}" for share in row)
        yield ""


def write_jaspar(path: Path, motifs: Sequence[Motif]) -> None:
    """Write motifs as JASPAR's counts. Raises InputError when the disk refuses."""
    with text_file(path) as out:
        for motif in motifs:
            out.write(f">{motif.name}\t{motif.consensus}\n".encode())
            for letter, row in zip(LETTERS, motif.counts.T.tolist(), strict=True):
                out.write(f"{letter}  [ {' '.join(f'{count:g}' for count in row)} ]\n".encode())

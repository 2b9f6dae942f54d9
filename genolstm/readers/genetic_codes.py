"""Genetic codes by their NCBI numbers, as tables over codons of DNA codes."""

from dataclasses import dataclass

import numpy as np
from Bio.Data import CodonTable
from numpy.typing import NDArray

from genolstm.alphabet import DNA, PROTEIN, Codes
from genolstm.errors import UsageError

STANDARD_CODE = 1
CODON = 3
CODONS = tuple(first + second + third for first in "ACGT" for second in "ACGT" for third in "ACGT")


@dataclass(frozen=True, kw_only=True)
class GeneticCode:
    """What each of the 64 codons means; a codon's index is its letters as a number in base 4, A C G T being 0 .. 3.

    name : as NCBI calls it.   residues : uint8 [64], codes of `alphabet.PROTEIN`; unknown for a codon that only stops.
    stops, starts : bool [64], codons that may end or begin a protein; in a few codes a stop is also read as a residue.
    """

    number: int
    name: str
    residues: Codes
    stops: NDArray[np.bool_]
    starts: NDArray[np.bool_]

    @property
    def always_stops(self) -> NDArray[np.bool_]:
        """Codons that are never read as a residue; bool [64]."""
        only_stops: NDArray[np.bool_] = self.residues == PROTEIN.unknown
        return only_stops


def genetic_code(number: int) -> GeneticCode:
    """Genetic code of an NCBI translation table (1 the standard one). Raises UsageError for a number that is none."""
    table = CodonTable.unambiguous_dna_by_id.get(number)
    if table is None:
        known = ", ".join(map(str, sorted(CodonTable.unambiguous_dna_by_id)))
        raise UsageError(f"{number} is no genetic code; NCBI's tables are {known}.")
    return GeneticCode(
        number=number,
        name=table.names[0],
        residues=np.array(
            [PROTEIN.letters.index(table.forward_table.get(codon, PROTEIN.unknown_letter)) for codon in CODONS],
            dtype=np.uint8,
        ),
        stops=np.array([codon in table.stop_codons for codon in CODONS]),
        starts=np.array([codon in table.start_codons for codon in CODONS]),
    )


def codons_of(coding: Codes) -> NDArray[np.int64]:
    """Index of each codon, int64 [len(coding) // 3]; coding : uint8 codes of DNA, none unknown."""
    triplets = coding[: len(coding) // CODON * CODON].reshape(-1, CODON).astype(np.int64)  # [n, 3]
    return triplets @ (DNA.n_known ** np.arange(CODON - 1, -1, -1))

"""What a chain of residues is like so far: net charge at pH 7 and hydropathy of every prefix, by running sums.

A residue that the alphabet does not know (X, which B, Z, J, U, O and * became) has no charge and no hydropathy: it is
in no sum and in no denominator, and `without_value` counts it for the user.
"""

import numpy as np
from numpy.typing import NDArray

from genolstm.alphabet import PROTEIN, Codes

Floats = NDArray[np.float64]

PH = 7.0
AHEAD_RESIDUES = 30

# pK of side chains and of both ends of the chain: Bjellqvist et al. 1993, Electrophoresis 14, 1023-1031, and 1994,
# Electrophoresis 15, 529-539, as Bio.SeqUtils.IsoelectricPoint has them
POSITIVE_PK = {"K": 10.0, "R": 12.0, "H": 5.98}
NEGATIVE_PK = {"D": 4.05, "E": 4.45, "C": 9.0, "Y": 10.0}
AMINO_END_PK = 7.5
AMINO_END_PK_OF = {"A": 7.59, "M": 7.0, "S": 6.93, "P": 8.36, "T": 6.82, "V": 7.44, "E": 7.7}
CARBOXYL_END_PK = 3.55
CARBOXYL_END_PK_OF = {"D": 4.55, "E": 4.75}

# in tenths, so that sums are exact; Kyte & Doolittle 1982, J. Mol. Biol. 157, 105-132
HYDROPATHY_TENTHS = {
    "A": 18, "C": 25, "D": -35, "E": -35, "F": 28, "G": -4, "H": -32, "I": 45, "K": -39, "L": 38,
    "M": 19, "N": -35, "P": -16, "Q": -35, "R": -45, "S": -8, "T": -7, "V": 42, "W": -9, "Y": -13,
}  # fmt: skip
TENTHS = 10


def _positive(pk: float) -> float:
    """Mean charge of a base at pH 7 (Henderson-Hasselbalch)."""
    return 1 / (10 ** (PH - pk) + 1)


def _negative(pk: float) -> float:
    """Mean charge of an acid at pH 7 (Henderson-Hasselbalch)."""
    return -1 / (10 ** (pk - PH) + 1)


CHARGED = "".join((*POSITIVE_PK, *NEGATIVE_PK))
SIDE_CHARGES = np.array([*map(_positive, POSITIVE_PK.values()), *map(_negative, NEGATIVE_PK.values())])
AMINO_END = np.array([_positive(AMINO_END_PK_OF.get(letter, AMINO_END_PK)) for letter in PROTEIN.letters])
CARBOXYL_END = np.array([_negative(CARBOXYL_END_PK_OF.get(letter, CARBOXYL_END_PK)) for letter in PROTEIN.letters])
HYDROPATHIES = np.array([HYDROPATHY_TENTHS.get(letter, 0) for letter in PROTEIN.letters])
CHARGED_CODES = np.array([PROTEIN.letters.index(letter) for letter in CHARGED], dtype=np.uint8)


def net_charge(codes: Codes) -> Floats:
    """Net charge at pH 7 of residues 1..t for every t, in elementary charges; float64 [L]. codes : uint8 [L].

    The amino end's pK is that of the first residue, the carboxyl end's that of residue t, as if the chain ended there;
    an unknown first or last residue has the ends' usual pK.
    """
    if not len(codes):
        return np.zeros(0)
    counts = np.cumsum(codes[:, None] == CHARGED_CODES, axis=0)  # [L, 7]: whole numbers, so that no rounding adds up
    charge: Floats = counts @ SIDE_CHARGES + (AMINO_END[codes[0]] + CARBOXYL_END[codes])
    return charge


def mean_hydropathy(codes: Codes) -> Floats:
    """Mean Kyte-Doolittle hydropathy of the known residues among 1..t for every t; float64 [L].

    codes : uint8 [L].   NaN as long as no known residue was read.
    """
    sums, known = _running(codes)
    return _mean(sums[1:], known[1:])


def hydropathy_ahead(codes: Codes, width: int = AHEAD_RESIDUES) -> Floats:
    """Mean Kyte-Doolittle hydropathy of the known residues among t+1 .. t+width for every t; float64 [L].

    codes : uint8 [L].   NaN where fewer than `width` residues remain, or none of them is known.
    """
    ahead = np.full(len(codes), np.nan)
    if len(codes) > width:
        sums, known = _running(codes)
        ahead[:-width] = _mean(sums[width + 1 :] - sums[1:-width], known[width + 1 :] - known[1:-width])
    return ahead


def without_value(codes: Codes) -> int:
    """How many residues have no charge and no hydropathy: the unknown ones. codes : uint8 [L]."""
    return int((codes == PROTEIN.unknown).sum())


def _running(codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum of hydropathies in tenths, and number of known residues, among the first 0 .. L; int64 [L + 1] each."""
    sums, known = (np.zeros(len(codes) + 1, dtype=np.int64) for _ in range(2))
    np.cumsum(HYDROPATHIES[codes], out=sums[1:])
    np.cumsum(codes != PROTEIN.unknown, out=known[1:])
    return sums, known


def _mean(tenths: NDArray[np.int64], known: NDArray[np.int64]) -> Floats:
    with np.errstate(invalid="ignore"):  # 0 / 0 is what no residue's mean is
        return tenths / (known * float(TENTHS))

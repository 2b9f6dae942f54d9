"""Contigs and stretches of a genome, as they stand in files with a value for each of their bases."""

from collections.abc import Mapping

import h5py
import numpy as np
from numpy.typing import NDArray

from genolstm.regions import Part, Stretches
from genolstm.store.files import strings, write_strings


def write_stretches(
    file: h5py.File, lengths: Mapping[str, int], stretches: Stretches, first: NDArray[np.int64] | None = None
) -> h5py.Group:
    """Write all contigs and some stretches of them; gives the group of the latter.

    first : int64 [K], where the values of each stretch begin; without, they are those of all bases, end to end.
    """
    contigs = file.create_group("contigs")
    write_strings(contigs, "name", list(lengths))
    contigs["length"] = np.array(list(lengths.values()), dtype=np.int64)
    group = file.create_group("stretches")
    for name in ("contig", "start", "end"):
        group[name] = getattr(stretches, name)
    spans = stretches.end - stretches.start
    group["first"] = np.cumsum(spans) - spans if first is None else first
    return group


def read_stretches(file: h5py.File) -> Stretches:
    """Stretches of an open file."""
    columns = {name: file["stretches"][name][()] for name in ("contig", "start", "end")}
    part = np.full(len(columns["contig"]), Part.TEST, dtype=np.int8)
    return Stretches(contigs=strings(file["contigs/name"]), part=part, **columns)


def read_lengths(file: h5py.File) -> dict[str, int]:
    """Contig name -> bases, of an open file."""
    return dict(zip(strings(file["contigs/name"]), file["contigs/length"][()].tolist(), strict=True))

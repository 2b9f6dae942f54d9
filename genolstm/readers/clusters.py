"""Clusters of proteins that another program made, as MMseqs2 writes them: representative<TAB>member, a line each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolstm.errors import InputError
from genolstm.readers.text_lines import opened_lines

NAMES_TOLD = 5


def read_clusters(path: Path, names: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Cluster of each named protein, int64 [N] numbered as met, and how many members of the file are none of them.

    path : two columns with a tab between, plain or gzip, as `mmseqs easy-cluster` writes NAME_cluster.tsv.
    Raises InputError for a line of other than two columns, a protein in two clusters, or a named one in none.
    """
    source = str(path)
    representative: dict[str, str] = {}
    with opened_lines(path, "clusters (TSV)", "a table of representative and member") as lines:
        for number, line in lines:
            if not line.strip():
                continue
            columns = line.split("\t")
            if len(columns) != 2 or not all(columns):
                raise InputError(
                    f"{source} line {number} is not representative<TAB>member, as MMseqs2 writes NAME_cluster.tsv;"
                    " give that file."
                )
            head, member = columns
            if representative.setdefault(member, head) != head:
                raise InputError(
                    f"{source} line {number} puts '{member}' into a second cluster; each protein belongs to one."
                )
    missing = [name for name in names if name not in representative]
    if missing:
        more = f" and {len(missing) - NAMES_TOLD:,} more" if len(missing) > NAMES_TOLD else ""
        raise InputError(
            f"{source} has no cluster for {', '.join(missing[:NAMES_TOLD])}{more}; cluster the very proteins that were"
            " ingested."
        )
    number_of: dict[str, int] = {}
    clusters = [number_of.setdefault(representative[name], len(number_of)) for name in names]
    return np.array(clusters, dtype=np.int64), len(representative.keys() - set(names))

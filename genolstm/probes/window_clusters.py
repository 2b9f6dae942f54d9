"""Windows that share sequence: clusters that no split may cut, and parts drawn in whole clusters."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from genolstm.alphabet import Codes
from genolstm.probes.controls import canonical_31mers
from genolstm.regions import Part

ROWS = 4096  # windows whose 31-mers are counted at a time
Ints = NDArray[np.int64]


def clusters_of_windows(codes: Codes, n_known: int) -> Ints:
    """Cluster of each window, int64 [N] numbered as met: windows that share a 31-mer, on either strand, are of one.

    codes : [N, W], W >= 31. Clusters are the connected components, so that chains of overlapping windows are of one.
    """
    kmer, row = [], []
    for first in range(0, len(codes), ROWS):
        found = canonical_31mers(codes[first : first + ROWS], n_known)
        kmer.append(found.ravel())
        row.append(np.repeat(np.arange(first, first + len(found)), found.shape[1]))
    kmers, rows = np.concatenate(kmer), np.concatenate(row)
    order = np.argsort(kmers, kind="stable")
    kmers, rows = kmers[order], rows[order]
    same = (kmers[1:] == kmers[:-1]) & (kmers[1:] >= 0)
    one, other = rows[:-1][same], rows[1:][same]
    links = coo_matrix((np.ones(len(one)), (one, other)), shape=(len(codes), len(codes)))
    _, label = connected_components(links, directed=False)
    _, first_met, cluster = np.unique(label, return_index=True, return_inverse=True)
    numbered: Ints = np.argsort(np.argsort(first_met))[cluster].astype(np.int64)
    return numbered


def drawn_parts(cluster: Ints, valid_share: float, test_share: float, rng: np.random.Generator) -> NDArray[np.int8]:
    """Part of each window, int8 [N]: clusters in drawn order go to test while they fit, then to validation.

    cluster : int64 [N].   valid_share, test_share : fractions of the windows.
    """
    sizes = np.bincount(cluster)
    room = {Part.TEST: test_share * len(cluster), Part.VALID: valid_share * len(cluster)}
    part_of = np.full(len(sizes), Part.TRAIN, dtype=np.int8)
    for each in rng.permutation(len(sizes)).tolist():
        for part in room:
            if sizes[each] <= room[part]:
                part_of[each], room[part] = part, room[part] - sizes[each]
                break
    parts: NDArray[np.int8] = part_of[cluster]
    return parts


def near_other_parts(cluster: Ints, part: NDArray[np.int8]) -> dict[Part, NDArray[np.bool_]]:
    """Windows that may not be fitted to: of the cluster of a test window, or of a validation window; bool [N] each.

    The first are of training or validation, the second of training, without those that are among the first.
    """
    in_test, in_valid = (np.isin(cluster, cluster[part == each]) for each in (Part.TEST, Part.VALID))
    near_test = in_test & (part != Part.TEST)
    return {Part.TEST: near_test, Part.VALID: in_valid & ~in_test & (part == Part.TRAIN)}

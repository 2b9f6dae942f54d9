"""Candidates on disk come back once each, in stretches that fit together."""

import numpy as np
import pytest

from genolstm.store import candidates
from genolstm.store.candidates import Found, listed_candidates


@pytest.mark.parametrize("bases", [1, 7, 64, 1000])
def test_every_candidate_comes_back_once_whatever_the_stretches(tmp_path, monkeypatch, bases):
    monkeypatch.setattr(candidates, "BASES", bases)
    address = np.repeat(np.arange(0, 200, 3), 2)
    address = np.append(address, [199, 199])  # the genome's last base too
    strand = np.tile([1, -1], len(address) // 2).astype(np.int8)
    with listed_candidates([Found(address, strand)], 1, tmp_path / "x.h5") as listed:
        values = np.arange(len(address), dtype=np.float32)[:, None]
        for of_strand in (0, 1):
            listed.passes.write(of_strand, 0, values)
        found, totals = zip(*listed.slabs(200), strict=True)
    np.testing.assert_array_equal(np.concatenate([each.address for each in found]), address)
    np.testing.assert_array_equal(np.concatenate([each.strand for each in found]), strand)
    np.testing.assert_array_equal(np.concatenate(totals), 2 * values)
    assert len(found) == -(-200 // bases)

"""What a process keeps for another: read as it was written, gone without a trace; a full disk is told."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.store.spool import open_spool


@pytest.mark.parametrize("shape", [(), (3, 2)])
def test_values_are_read_where_they_were_written(tmp_path, shape):
    rng = np.random.default_rng(1)
    first, second = rng.random((4, *shape), dtype=np.float32), rng.random((5, *shape), dtype=np.float32)
    with open_spool(tmp_path / "out.h5", 20, shape) as spool:
        spool.write(1, 15, first[::-1])
        spool.write(0, 2, second)
        spool.write(0, 15, second[:4])
        assert np.array_equal(spool.read(1, 15, 19), first[::-1])
        assert np.array_equal(spool.read(0, 3, 6), second[1:4])
        assert spool.read(1, 18, 20).shape == (2, *shape)  # the end was never written
        assert list(tmp_path.iterdir()) == []  # it has no name
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_name_of_the_output(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genolstm.store.spool.os.pwrite", full)
    with open_spool(tmp_path / "out.h5", 20) as spool, pytest.raises(InputError, match=r"the disk is full: .*out\.h5"):
        spool.write(0, 0, np.ones(20, dtype=np.float32))

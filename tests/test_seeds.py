"""One user seed, independent named generators."""

import numpy as np
import pytest
import torch

from genolstm.seeds import spawn, spawn_seed


def test_the_same_name_gives_the_same_draw():
    np.testing.assert_array_equal(spawn(1, "lanes").random(5), spawn(1, "lanes").random(5))
    np.testing.assert_array_equal(spawn(1, "lanes", 3).random(5), spawn(1, "lanes", 3).random(5))


@pytest.mark.parametrize("other", [(2, "lanes", 0), (1, "split", 0), (1, "lanes", 1), (11, "lanes", 0)])
def test_another_seed_name_or_index_gives_another_draw(other):
    assert not np.any(spawn(1, "lanes", 0).random(20) == spawn(*other).random(20))


def test_seeds_of_many_uses_are_all_different():
    seeds = {
        spawn_seed(seed, name, index)
        for seed in range(30)
        for name in ("weights", "split", "decoys")
        for index in range(30)
    }
    assert len(seeds) == 30 * 3 * 30


def test_seeds_fit_a_torch_generator():
    for index in range(100):
        seed = spawn_seed(1, "weights", index)
        assert 0 <= seed < 2**63
        assert torch.Generator().manual_seed(seed).initial_seed() == seed


def test_seeds_do_not_change_between_versions():
    # files carry the user's seed: a release that changed this would break every one of them
    assert spawn_seed(1, "weights") == int.from_bytes(bytes.fromhex("657de59e4214963d"), "big") >> 1

"""One user seed, many independent named generators: nothing else in the package makes randomness."""

import hashlib

import numpy as np


def spawn_seed(seed: int, name: str, index: int = 0) -> int:
    """A 63-bit seed for one named use of the user's seed; the same arguments always make the same seed."""
    digest = hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes signed 64-bit seeds


def spawn(seed: int, name: str, index: int = 0) -> np.random.Generator:
    """An independent NumPy generator for one named use: 'weights', 'lanes', 'split', 'decoys', 'bootstrap' ..."""
    return np.random.default_rng(spawn_seed(seed, name, index))

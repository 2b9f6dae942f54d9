"""A fitted probe: read back from its file, and applied to states of the same model, of any genome."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genolstm.errors import InputError
from genolstm.probes.task import TRAINED
from genolstm.regions import Sites
from genolstm.settings.site_reading import Pool, SiteReading, parse_pools, pools_text
from genolstm.states.sites import blocks_at
from genolstm.states.windows import Windows, pooled_states, pools_of
from genolstm.store.files import open_file
from genolstm.store.results import LinearProbe, read_probe
from genolstm.store.schema import Kind
from genolstm.stream.reader import GenomeReader

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedProbe:
    """One linear probe of a model's states, and which states these are.

    Where components were taken of each block of states, these are linear too: mean, scale and coefficients of the
    probe are of the states themselves (`probes.components`), so that no projection is needed here.

    path : of its file, for messages.   task, target : as in the file.   offsets, pools : symbols after the site at
    which states are read, side by side, and what is pooled of the own pass beside them.   pooling : what is made of the
    states of a window of `width` bp; empty where states are read at points.   memories : c beside h.   model_sha256 :
    of the model's file; '' where none is named.
    """

    path: Path
    task: str
    target: str
    linear: LinearProbe
    offsets: tuple[int, ...]
    pooling: tuple[str, ...]
    width: int
    memories: bool
    model_sha256: str
    pools: tuple[Pool, ...] = ()

    @property
    def reading(self) -> SiteReading:
        """What is read at a point: its blocks of D numbers are the features, in their order."""
        return SiteReading(self.offsets, self.pools)

    def check_model(self, sha256: str, name: str) -> None:
        """Refuse another model than the one whose states the probe was fitted to. Raises InputError."""
        if sha256 != self.model_sha256:
            raise InputError(
                f"{self.path} was fitted to the states of another model than {name}; give the model that it was made"
                " with, or probe this one."
            )

    def decision(self, states: NDArray[np.floating]) -> Floats:
        """Log odds or predicted values, float64 [N]; of K classes [N, K].

        states : [N, F], flat or not: at points the blocks of `reading` in order, each D numbers; of windows pooled.
        Raises ValueError for another width.
        """
        features = states.reshape(len(states), -1)
        if features.shape[1] != len(self.linear.mean):
            raise ValueError(f"the probe takes {len(self.linear.mean)} numbers a site, and got {features.shape[1]}")
        return self.linear.decision(features)

    def probability(self, states: NDArray[np.floating]) -> Floats:
        """Probability of being a positive, float64 [N], at the ratio of the rows it was fitted to; of two classes."""
        probability: Floats = expit(self.decision(states))
        return probability

    def at_sites(self, reader: GenomeReader, sites: Sites) -> Floats:
        """Decisions at sites of a genome, all `states.sites.readable`; as `decision`."""
        if self.pooling:
            raise ValueError(f"{self.path} holds a probe of windows, not of single sites")
        blocks = blocks_at(reader, sites, self.reading, memories=self.memories)  # [blocks, N, D]
        return self.decision(blocks.transpose(1, 0, 2))

    def in_windows(self, reader: GenomeReader, windows: Windows) -> Floats:
        """Decisions on windows of a genome; as `decision`. Raises ValueError for windows of another width."""
        ends = self.pooling == pools_of(ends=True)
        if self.pooling != pools_of(ends=ends) or windows.width != self.width:
            raise ValueError(f"{self.path} holds no probe of windows of {windows.width} bp")
        return self.decision(pooled_states(reader, windows, memories=self.memories, ends=ends))


def read_fitted(path: Path, target: str, features: str = TRAINED, *, fold: int = 0) -> FittedProbe:
    """Probe of one target of a result file. features : which feature set, of states.   fold : from 1, of a result
    over folds; 0 of one model.

    Raises InputError as `store.files.open_file`, where the file has no such target, and of a result over folds where
    none is named.
    """  # noqa: D205
    results = read_probe(path)
    if target not in results:
        raise InputError(f"{path} holds no target '{target}'; it has {', '.join(results)}.")
    result = results[target]
    linear: LinearProbe = result.features[features]
    offsets, pools = result.offsets, result.pools
    if fold:
        linear, alone = result.features[features].folds[fold - 1], result.of_fold(fold)
        offsets, pools = tuple(alone["offsets"]), parse_pools(str(alone.get("pools", pools_text(pools))))
    elif result.fold is not None:
        raise InputError(
            f"{path} holds a probe of each of {result.definition['folds']} folds, and none of one model; give the probe"
            " of one model."
        )
    with open_file(path, Kind.PROBE) as file:
        task, inputs = str(file.attrs["task"]), json.loads(file.attrs["inputs"])
    return FittedProbe(
        path=path, task=task, target=target, linear=linear, offsets=offsets,
        pooling=result.pooling, width=result.width, memories=result.states != "h",
        model_sha256=inputs.get(f"model {fold}" if fold else "model", ""), pools=pools,
    )  # fmt: skip

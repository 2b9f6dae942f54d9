"""Features of another program beside controls, as `probe_sites` judges hidden states."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from genolstm.api.found import as_found, log
from genolstm.api.probing import Probe
from genolstm.api.records import digests_of, listed, made_by
from genolstm.probes.feature_table import FeatureTable, read_feature_table, table_of
from genolstm.probes.tasks.control import judge_table
from genolstm.probes.tasks.sites import read_labels
from genolstm.settings.control import ControlSettings
from genolstm.store.genome import Genome

Table = str | Path | NDArray[Any]


@as_found()
def control(
    features: Table,
    genome: Genome,
    sites: str | Path,
    *,
    random_init: Sequence[Table] = (),
    **settings: Any,  # noqa: ANN401
) -> Probe:
    r"""Whether features that another program made tell labels of sites better than the sequence itself does.

    Parameters
    ----------
    features
        Array [N, F], a row a site in the order of the file of labels; or a file: .h5ad, .npz, .h5, or text with a
        header, whose rows are matched by coordinates or names where it has them.
    genome
        That the sites lie on.
    sites
        BED with labels as names, a table with the columns ``contig, start, end, strand, label[, part, name]``, or a
        bigWig.
    random_init
        The same features of the same model before training, one or several; without, the controls are those of the
        sequence alone, and the result says so.
    **settings
        Any field of ``genolstm.settings.control.ControlSettings``: ``test_contigs="III"``.

    Returns
    -------
    Probe
        Target 'labels', or 'values'. The features stand there as 'trained'.

    Raises
    ------
    InputError
        Rows do not fit the sites, a number is not finite, labels are of one class or contradict each other.
    UsageError
        Nothing says which sites are for test, or a setting cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> rows = [("chr" + "ABC"[k % 3], 240 * k, "yes" if k % 7 < 2 else "no") for k in range(1, 901)]
    >>> with open("labels.bed", "w") as file:
    ...     file.writelines(f"{contig}\t{start}\t{start + 1}\t{label}\n" for contig, start, label in rows)
    >>> numbers, genome = np.random.default_rng(1).normal(size=(900, 8)), gl.open_genome("genome.h5")
    >>> result = gl.control(numbers, genome, "labels.bed", test_contigs="chrC", resamples=50)
    >>> result.verdict
    'no gain'
    """
    chosen = ControlSettings.from_json(listed(settings), where="control")
    labels = read_labels(Path(sites), genome, chosen.of_sites)
    for warning in labels.warnings:
        log.warning("%s", warning)
    table, *twins = (_table(each) for each in (features, *random_init))
    targets, records = judge_table(table, twins, labels, genome, chosen, log=log.info)
    named = {"features": features, "sites": sites}
    named |= {f"random_init_{number}": path for number, path in enumerate(random_init, 1)}
    inputs = {"genome": genome.sha256, **digests_of(named)}
    return Probe(
        provenance=made_by("control", chosen.to_json(), inputs, seed=chosen.seed),
        records=records, task="control", targets=targets,
    )  # fmt: skip


def _table(given: Table) -> FeatureTable:
    return read_feature_table(Path(given)) if isinstance(given, str | Path) else table_of(given)

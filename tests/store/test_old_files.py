"""Files that version 0.1.0 wrote still open, and give the same numbers."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genolstm.cli.app import app
from genolstm.model import trained_model
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.genome import open_genome
from genolstm.store.results import read_probe

OLD = Path(__file__).resolve().parents[1] / "data" / "0.1.0"
TABLES = json.loads((OLD / "tables.json").read_text())


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """Function: name -> path of a file of version 0.1.0."""
    folder = tmp_path_factory.mktemp("old")

    def unpacked(name):
        path = folder / f"{name}.h5"
        if not path.exists():
            path.write_bytes(gzip.decompress((OLD / f"{name}.h5.gz").read_bytes()))
        return path

    return unpacked


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.slow
def test_every_table_is_exported_as_version_0_1_0_did(old, name):
    for table, digest in TABLES[name].items():
        found = CliRunner().invoke(app, ["export", str(old(name)), "--table", table, "-o", "-", "-q"])
        assert found.exit_code == 0, found.output
        assert hashlib.sha256(found.stdout_bytes).hexdigest()[:16] == digest, table


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_file_is_shown(old, name):
    found = CliRunner().invoke(app, ["show", str(old(name))])
    assert found.exit_code == 0, found.output
    assert "0.1.0" in found.stdout


def test_a_model_is_rebuilt_and_its_genome_known_again(old):
    checkpoint, genome = read_checkpoint(old("model")), open_genome(old("genome"))
    assert checkpoint.genome_sha256 == genome.sha256
    assert trained_model(checkpoint.model, checkpoint.weights).settings.hidden == 4


def test_a_probe_keeps_its_verdicts_and_scores(old):
    results = read_probe(old("probe"))
    assert set(results) == {"donor", "acceptor"}
    for result in results.values():
        assert result.verdict in {"gain", "no gain"}
        assert {"trained", "untrained_1", "onehot"} <= set(result.features)
        assert result.offsets == (2,)

"""No command writes over its inputs or over another of its outputs, whatever the paths are called."""

import pytest


@pytest.fixture
def folder(results, tmp_path):
    """Copies of small result files, and what commands read beside them."""
    for name, path in results.items():
        (tmp_path / f"{name}.h5").write_bytes(path.read_bytes())
    for name in ("sites.bed", "fragments.tsv"):
        (tmp_path / name).write_bytes((results["genome"].parent / name).read_bytes())
    (tmp_path / "settings.toml").write_text("seed = 1\n")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "score model.h5 genome.h5 -o out.h5 --bigwig genome.h5",
        "score model.h5 genome.h5 -o out.h5 --bigwig link.h5",
        "score model.h5 genome.h5 -o out.h5 --bigwig hard.h5",
        "score model.h5 genome.h5 -o out.h5 --figure out.svg --bigwig ./out.svg",
        "score model.h5 genome.h5 -o out.svg --figure OUT.svg",
        "embed model.h5 genome.h5 --sites sites.bed -o out.h5 --h5ad sites.bed",
        "embed model.h5 genome.h5 --sites sites.bed -o out.h5 --h5ad out.h5",
        "track fragments.tsv --genome genome.h5 -o out.h5 --bigwig fragments.tsv",
        "gates model.h5 genome.h5 -o settings.toml --settings settings.toml",
        "train genome.h5 -o settings.toml --settings settings.toml",
        "methylation fit counts.h5 --times 0,1,4,16 -o out.h5 --table counts.h5",
        "methylation fit counts.h5 --times 0,1,4,16 -o out.h5 --table out.tsv --settings out.tsv",
        "methylation simulate --rate 0.3 --steady 0.8 -o out.h5 --truth out.h5",
        "export score.h5 -o score.h5.tsv --table bits --genome score.h5.tsv",
        "report model.h5 -o model.h5",
    ],
)
def test_output_that_is_an_input_or_another_output_is_refused_before_any_work(run, folder, monkeypatch, line):
    monkeypatch.chdir(folder)
    (folder / "link.h5").symlink_to("genome.h5")
    (folder / "hard.h5").hardlink_to(folder / "genome.h5")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    told = run(*line.split(), "--force")
    assert told.code == 2, told
    assert told.err.startswith("genolstm: ")
    assert "is also an input; name another." in told.err or "; name two files." in told.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_attributes_that_steer_a_terminal_are_spelled(run, tmp_path, provenance):
    import dataclasses

    import numpy as np

    from genolstm.store.counts import Counts, write_counts
    from genolstm.store.files import Records

    one = np.ones((1, 1), np.int32)
    counts = Counts(
        contigs=("=I",), contig=np.zeros(1, np.int32), position=np.zeros(1, np.int64), strand=np.ones(1, np.int8),
        modified=one, covered=one, samples=("\x1b]0;mine\x07",),
    )  # fmt: skip
    about = dataclasses.replace(provenance, command="\x1b[2J\x1b[31mred\nkind: genome")
    write_counts(tmp_path / "c.h5", counts, Records(), about)
    told = run("show", tmp_path / "c.h5").out
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "\\x1b[2J\\x1b[31mred\\nkind: genome" in told
    assert run("export", tmp_path / "c.h5", "-o", tmp_path / "c.tsv", "-q").code == 0
    row = (tmp_path / "c.tsv").read_text().splitlines()[1].split("\t")
    assert row[0] == "'=I", "a spreadsheet takes no name for a formula"
    assert run("export", tmp_path / "c.h5", "-o", tmp_path / "c.bed", "-q").code == 0
    assert (tmp_path / "c.bed").read_text().startswith("=I\t0\t1"), "a genome browser needs the contig's own name"

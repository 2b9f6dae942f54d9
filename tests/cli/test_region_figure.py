"""One picture of a region from several results: their panels share one x axis, with the genes below."""

import pytest

from genolstm.errors import InputError

QUICK = ("-t", "1", "--device", "cpu", "-q")
REGION = "I:301-420"


@pytest.fixture
def results(run, model_file, genome_file, tmp_path):
    """Scores with probabilities, gates and changes of one region."""
    folder = tmp_path
    region = ("--region", REGION)
    for name, options in {
        "score": (*region, "--probabilities", folder / "p"),
        "gates": ("--memory-bases", "0", "--every", "5", *region),
        "variants": ("--all-snvs", "--no-markov", *region),
    }.items():
        ended = run(name, model_file, genome_file, "-o", folder / f"{name}.h5", *options, *QUICK)
        assert ended.code == 0, ended.err
    genes = folder / "genes.gff3"
    row = "I\tx\t{}\t{}\t{}\t.\t+\t{}\t{}\n"
    genes.write_text(
        "##gff-version 3\n"
        + row.format("gene", 311, 400, ".", "ID=g")
        + row.format("mRNA", 311, 400, ".", "ID=t;Parent=g")
        + "".join(row.format("exon", *ends, ".", "Parent=t") for ends in ((311, 340), (371, 400)))
        + "".join(row.format("CDS", *ends, "0", "Parent=t") for ends in ((311, 340), (371, 400)))
    )
    return folder, genes


def test_panels_share_the_axis_of_the_region(results):
    import genolstm as gl

    folder, genes = results
    figure = gl.region_figure(
        REGION, gl.open_result(folder / "variants.h5"), folder / "gates.h5", folder / "score.h5", annotation=genes
    )
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["bits/base", "information (bits)", "ratio (bits)", "forget gate (mean)", "genes"]
    assert {axes.get_xlim() for axes in figure.axes} == {(300.5, 420.5)}
    boxes = [(box.get_x(), box.get_x() + box.get_width()) for box in figure.axes[-1].patches]
    assert (310.5, 340.5) in boxes
    assert (340.5, 370.5) in boxes  # the intron
    steps = figure.axes[0].patches[0]
    assert len(steps.get_data().values) == 120
    with pytest.raises(InputError, match=r"none of the results holds bits, changes, gates or predictions of II:1-50"):
        gl.region_figure("II:1-50", folder / "score.h5")


def test_report_draws_the_region_beside_its_page(run, results, tmp_path):
    folder, genes = results
    files = [folder / f"{name}.h5" for name in ("score", "gates")]
    options = ("--region", REGION, "--annotation", genes, "--figure", tmp_path / "r.svg", "-q")
    ended = run("report", *files, "-o", tmp_path / "r.html", *options)
    assert ended.code == 0, ended.err
    assert "<svg" in (tmp_path / "r.svg").read_text()
    ended = run("report", *files, "-o", tmp_path / "other.html", "--region", REGION, "-q")
    assert ended.code == 2
    assert "--region is what --figure shows" in ended.err

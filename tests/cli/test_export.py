"""`genolstm export` as a user runs it: its files as other programs read them."""

import gzip
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pyBigWig
import pytest
from made_results import AWKWARD, CONTIGS

from genolstm.store.files import open_file
from genolstm.store.gates import open_gates
from genolstm.store.methylation import read_methylation
from genolstm.store.results import read_probe
from genolstm.store.schema import Kind

ORDER = list(CONTIGS)


def table_of(path):
    """Header and rows of a TSV, as text."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        header, *rows = [line.rstrip("\n").split("\t") for line in stream]
    return header, rows


def numbers(rows, column):
    return np.array([np.nan if row[column] == "NA" else float(row[column]) for row in rows])


def test_probe_sites_come_with_every_prediction(run, results, tmp_path):
    out = tmp_path / "sites.tsv"
    assert run("export", results["probe"], "-o", out, "--table", "donor/sites", "-q") == (0, "", "")
    header, rows = table_of(out)
    assert header == [
        "contig", "position", "strand", "label", "part", "block", "trained_log_odds", "untrained_1_log_odds",
        "kmer_log_odds",
    ]  # fmt: skip
    found = read_probe(results["probe"])["donor"]
    assert [row[0] for row in rows] == [found.sites.contigs[index] for index in found.sites.contig]
    assert [int(row[1]) for row in rows] == found.sites.position.tolist()
    assert {row[2] for row in rows} == {"+", "-"}
    assert {row[4] for row in rows} == {"train", "test"}
    read_back = np.array([float(row[6]) for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(read_back, found.features["trained"].log_odds)  # to the last bit


def test_scores_are_a_row_a_base_on_both_strands(run, results, tmp_path):
    out = tmp_path / "bits.tsv.gz"
    assert run("export", results["score"], "-o", out, "-q").code == 0
    header, rows = table_of(out)
    assert header == ["contig", "position", "forward", "reverse"]
    assert [(row[0], int(row[1])) for row in rows] == [(name, at) for name in ORDER for at in range(CONTIGS[name])]
    with open_file(results["score"], Kind.SCORE) as file:
        for column, strand in ((2, "forward"), (3, "reverse")):
            values = numbers(rows, column).astype(np.float32)
            np.testing.assert_array_equal(values, file[f"bits/{strand}"][()])


def test_region_keeps_the_rows_that_overlap_it(run, results, tmp_path):
    whole, part = tmp_path / "w.tsv", tmp_path / "p.tsv"
    run("export", results["score"], "-o", whole, "-q")
    assert run("export", results["score"], "-o", part, "--region", "III:11-20", "-q").code == 0
    rows = [row for row in table_of(whole)[1] if row[0] == "III" and 10 <= int(row[1]) < 20]
    assert table_of(part)[1] == rows
    assert len(rows) == 10
    run("export", results["probe"], "-o", part, "--table", "donor/sites", "--region", "III", "-q", "-f")
    assert {row[0] for row in table_of(part)[1]} == {"III"}
    ended = run("export", results["probe"], "-o", part, "--table", "donor/scores", "--region", "III", "-q", "-f")
    assert ended.code == 2
    assert "have no place on the genome" in ended.err


def test_methylation_has_the_columns_that_the_contract_names(run, results, tmp_path):
    out = tmp_path / "fit.tsv"
    assert run("export", results["fit"], "-o", out, "-q").code == 0
    header, rows = table_of(out)
    assert header[:3] == ["contig", "position", "strand"]
    assert {"rate_per_hour", "steady_fraction", "half_life_hours", "modified_0", "covered_0", "flags"} <= {
        name.removesuffix("h") if name.startswith(("modified", "covered")) else name for name in header
    }
    fit = read_methylation(results["fit"])
    told = numbers(rows, header.index("half_life_hours"))
    np.testing.assert_array_equal(told, fit.half_life)
    words = {word for row in rows for word in row[header.index("flags")].split(",")}
    assert words <= {".", *fit.flag_names}


def test_stdout_is_a_plain_table(finished, results):
    ended = finished("export", results["model"], "-o", "-", "--table", "history")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == "step\tbases\tbits\tgradient_norm\tlearning_rate\tbases_per_second"


def test_every_table_of_every_kind_can_be_written(results, tmp_path):
    from genolstm.store.tables import open_tables
    from genolstm.writers.rows import write_rows

    out = tmp_path / "t.tsv"
    for path in results.values():
        with open_tables(path) as file:
            assert file.names
            for table in file.tables():
                names = [column.name for column in table.columns]
                assert write_rows(out, names, table.slabs()) == table.rows
                header, lines = table_of(out)
                assert header == names
                assert len(set(names)) == len(names), table.name
                assert all(len(line) == len(names) for line in lines)


def test_tables_lists_names_columns_and_units(run, results):
    told = run("export", results["gates"], "--tables").out
    assert "table half_life: 8 rows, 4 columns" in told
    assert "  realised\tbp\tln 0.5 / mean ln f" in told
    assert "track tracks/forget/layer0/mean" in told


@pytest.mark.parametrize(("name", "track"), [("score", None), ("score", "bits/forward"), ("score", "bits/reverse")])
def test_scores_as_bigwig_are_the_scores(run, results, tmp_path, name, track):
    out = tmp_path / "s.bw"
    options = ("--table", track) if track else ()
    assert run("export", results[name], "-o", out, *options, "-q") == (0, "", "")
    with open_file(results["score"], Kind.SCORE) as file:
        both = [file["bits/forward"][()], file["bits/reverse"][()]]
    wanted = {None: np.mean(both, axis=0), "bits/forward": both[0], "bits/reverse": both[1]}[track]
    with pyBigWig.open(str(out)) as bigwig:
        assert bigwig.chroms() == CONTIGS
        shown = np.concatenate([bigwig.values(name, 0, length, numpy=True) for name, length in CONTIGS.items()])
    np.testing.assert_allclose(shown, wanted, rtol=1e-6)


def test_gates_tracks_are_written_by_name(run, results, tmp_path):
    out = tmp_path / "g.bw"
    assert run("export", results["gates"], "-o", out, "--table", "tracks/forget/layer0/mean", "-q").code == 0
    with open_gates(results["gates"]) as gates, pyBigWig.open(str(out)) as bigwig:
        for contig, start, _, value in gates.runs("forget", 0, None):
            if np.isnan(value).all():
                continue
            shown = bigwig.values(contig, 0, CONTIGS[contig], numpy=True)[start]
            np.testing.assert_allclose(shown, value, rtol=1e-6)
    ended = run("export", results["gates"], "-o", tmp_path / "x.bw", "-q")
    assert ended.code == 2
    assert "several tracks: name one with --table: tracks/forget/layer0/mean, " in ended.err


def test_rates_and_fractions_need_the_genome_for_a_bigwig(run, results, tmp_path):
    out = tmp_path / "k.bw"
    ended = run("export", results["fit"], "-o", out, "--table", "sites/rate_per_hour", "-q")
    assert ended.code == 2
    assert "give --genome" in ended.err
    genome = ("--genome", results["genome"])
    assert run("export", results["fit"], "-o", out, "--table", "sites/rate_per_hour", *genome, "-q").code == 0
    fit = read_methylation(results["fit"])
    with pyBigWig.open(str(out)) as bigwig:
        mine = (fit.contig == 0) & np.isfinite(fit.rate)
        assert [start for start, *_ in bigwig.intervals("I")] == fit.position[mine].tolist()
    with open_file(results["counts"], Kind.COUNTS) as file:
        sample = file["samples/name"][0].decode()
        modified, covered = file["sites/modified"][:, 0], file["sites/covered"][:, 0]
    track = ("--table", f"sites/fraction_{sample}")
    assert run("export", results["counts"], "-o", out, *track, *genome, "-q", "-f").code == 0
    with pyBigWig.open(str(out)) as bigwig:
        shown = [value for name in ("I", "III") for *_, value in bigwig.intervals(name)]
    np.testing.assert_allclose(shown, (modified / covered)[covered > 0], rtol=1e-6)
    graph = tmp_path / "k.bedgraph"
    assert run("export", results["counts"], "-o", graph, *track, "-q").code == 0
    assert len(graph.read_text().splitlines()) == int((covered > 0).sum())


def test_track_of_cuts_is_its_runs(run, results, tmp_path):
    assert run("export", results["track"], "-o", tmp_path / "t.bw", "-q").code == 0
    run("export", results["track"], "-o", tmp_path / "t.tsv", "-q")
    header, rows = table_of(tmp_path / "t.tsv")
    assert header == ["contig", "start", "end", "length", "count"]
    with pyBigWig.open(str(tmp_path / "t.bw")) as bigwig:
        drawn = [(start, end, int(value)) for start, end, value in bigwig.intervals("I") if value]
    assert drawn == [(int(row[1]), int(row[2]), int(row[4])) for row in rows]


def test_bed_is_sorted_and_opens_in_bedtools(run, results, tmp_path):
    out = tmp_path / "d.bed"
    ended = run("export", results["probe"], "-o", out, "--table", "donor/sites")
    assert (
        "the score is of column trained_log_odds (probability of a true site by the probe of the trained model): 1000 x"
        in ended.err
    )
    rows = [line.split("\t") for line in out.read_text().splitlines()]
    assert all(len(row) == 6 and 0 <= int(row[4]) <= 1000 and int(row[2]) == int(row[1]) + 1 for row in rows)
    places = [(ORDER.index(row[0]), int(row[1])) for row in rows]
    assert places == sorted(places)
    assert {row[3] for row in rows} == {"donor=0", "donor=1"}
    true = [int(row[4]) for row in rows if row[3] == "donor=1"]
    assert np.mean(true) > 800 > np.mean([int(row[4]) for row in rows if row[3] == "donor=0"])
    if not shutil.which("bedtools"):
        pytest.skip("bedtools is not installed")
    merged = subprocess.run(["bedtools", "merge", "-i", out], capture_output=True, text=True, check=True)
    assert len(merged.stdout.splitlines()) == len(rows)


def test_bed_has_the_score_of_a_named_column_and_keeps_others(run, results, tmp_path):
    out, tsv = tmp_path / "d.bed", tmp_path / "d.tsv"
    options = ("--table", "donor/sites", "-q")
    chosen = ("--score-column", "kmer_log_odds", "--score-scale", "range", "--columns", "part,kmer_log_odds")
    assert run("export", results["probe"], "-o", out, *options, *chosen).code == 0
    header, *rows = [line.split("\t") for line in out.read_text().splitlines()]
    assert header == ["#contig", "start", "end", "name", "score", "strand", "part", "kmer_log_odds"]
    run("export", results["probe"], "-o", tsv, *options)
    names, found = table_of(tsv)
    odds, place = numbers(found, names.index("kmer_log_odds")), {(row[0], row[1]): row for row in found}
    assert [place[row[0], row[1]][-1] for row in rows] == [row[7] for row in rows]
    assert [int(row[4]) for row in rows] == [
        round(1000 * (float(row[7]) - odds.min()) / (odds.max() - odds.min())) for row in rows
    ]
    ended = run("export", results["probe"], "-o", tmp_path / "x.tsv", *options, "--columns", "all")
    assert ended.code == 2
    assert "--columns has no effect on .tsv, only for a BED" in ended.err


def test_bed_of_a_table_that_is_out_of_order_is_sorted(run, results, tmp_path):
    out = tmp_path / "r.bed"
    assert run("export", results["gates"], "-o", out, "--table", "resets", "-q").code == 0
    places = [(ORDER.index(row[0]), int(row[1])) for row in map(str.split, out.read_text().splitlines())]
    assert places == sorted(places)
    assert len(places) == len(table_rows(run, results["gates"], "resets", tmp_path))


def table_rows(run, path, table, folder):
    run("export", path, "-o", folder / "rows.tsv", "--table", table, "-q", "-f")
    return table_of(folder / "rows.tsv")[1]


def test_tables_open_in_pandas_with_missing_values(run, results, tmp_path):
    pandas = pytest.importorskip("pandas")
    run("export", results["study"], "-o", tmp_path / "s.tsv", "--table", "made-up/tables/curve", "-q")
    frame = pandas.read_csv(tmp_path / "s.tsv", sep="\t")
    assert frame["lag"].tolist() == [1, 2, 4]
    assert frame["left"].isna().tolist() == [False, False, True]


def test_session_opens_genome_genes_and_tracks_where_they_lie(run, tmp_path):
    (tmp_path / "tracks").mkdir()
    fasta, track, genes = tmp_path / "g & <co>.fa", tmp_path / "tracks" / "bits.bw", tmp_path / "genes.gff3"
    for path in (fasta, track, genes):
        path.write_text(">I\nACGT\n")
    out = tmp_path / "igv.xml"
    ended = run("export", track, "-o", out, "--fasta", fasta, "--annotation", genes)
    assert ended.code == 0
    assert f"IGV needs .fai beside {fasta}" in ended.err
    root = ElementTree.parse(out).getroot()
    assert (root.tag, root.get("genome"), root.get("locus")) == ("Session", "g & <co>.fa", "All")
    assert [each.get("path") for each in root.find("Resources")] == ["genes.gff3", "tracks/bits.bw"]


def test_session_refuses_what_igv_cannot_open(run, results, tmp_path):
    packed = tmp_path / "g.fa.gz"
    packed.write_bytes(gzip.compress(b">I\nACGT\n"))
    track = tmp_path / "t.bed"
    track.write_text("I\t0\t1\n")
    out = tmp_path / "igv.xml"
    for arguments, said in (
        ((tmp_path / "gone.bw",), "gone.bw does not exist"),
        ((results["score"],), "IGV opens no .h5"),
        ((track, "--fasta", packed), "is packed by gzip, which IGV cannot seek in"),
    ):
        ended = run("export", *arguments, "-o", out, "-q")
        assert ended.code == 3
        assert said in ended.err
        assert not out.exists()
    assert "no --fasta" in run("export", track, "-o", out).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("probe", "-o", "x.tsv"), "several fit; name one with --table: acceptor/sites, donor/sites."),
        (
            ("probe", "-o", "x.tsv", "--table", "nonsense"),
            "there is no table 'nonsense'; name one with --table: contigs, ",
        ),
        (("probe", "-o", "x.bw"), "is a probe file, which has no track along the genome"),
        (("score", "-o", "x.bw", "--table", "bits/up"), "no track 'bits/up': name one with --table: bits/mean, "),
        (("model", "-o", "x.bed"), "have no place on the genome: write them as .tsv."),
        (("model", "-o", "x.csv"), "must end in one of .tsv, "),
        (("model",), "no output is named: give --output"),
        (("score", "-o", "x.bw", "--genome", "GENOME"), "--genome has no effect on a score file"),
        (("score", "-o", "x.tsv", "--fasta", "GENOME"), "--fasta has no effect on .tsv"),
        (("score", "-o", "x.tsv", "--region", "IX"), "names no contig"),
    ],
)
def test_wrong_use_says_what_there_is(run, results, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    known = {**results, "GENOME": results["genome"]}
    ended = run("export", *(known.get(word, word) for word in arguments), "-q")
    assert ended.code == (3 if "IX" in arguments else 2)
    assert said in ended.err
    assert not list(tmp_path.iterdir())


def test_two_runs_give_the_same_bytes(run, results, tmp_path):
    for ending in ("tsv.gz", "bw", "bedgraph"):
        one, two = tmp_path / f"1.{ending}", tmp_path / f"2.{ending}"
        for path in (one, two):
            assert run("export", results["score"], "-o", path, "-q").code == 0
        assert one.read_bytes() == two.read_bytes()


def test_awkward_contig_is_spelled_as_it_is(run, results, tmp_path):
    run("export", results["score"], "-o", tmp_path / "a.tsv", "-q")
    assert AWKWARD in {row[0] for row in table_of(tmp_path / "a.tsv")[1]}


def test_existing_output_is_kept_without_force(run, results, tmp_path):
    out = tmp_path / "a.tsv"
    out.write_text("mine")
    assert run("export", results["score"], "-o", out, "-q").code == 2
    assert out.read_text() == "mine"
    assert run("export", results["score"], "-o", results["score"], "-q", "-f").code == 2


@pytest.mark.parametrize(
    ("into", "code", "said"),
    [
        ("| true", 141, ""),
        ("> /dev/full", 3, "genolstm: the disk is full: standard output was not written; free space or write"
         " elsewhere.\n"),
    ],
)  # fmt: skip
def test_a_stdout_that_takes_no_more_is_not_blamed_on_the_input(results, into, code, said):
    line = f"'{sys.executable}' -m genolstm export '{results['score']}' -o - -q {into}; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (code, said)

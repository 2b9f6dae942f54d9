"""``genolstm variants``: the VCF that comes out, what is said, and every option's effect."""

import json
import shutil
import subprocess

import numpy as np
import pybigtools
import pysam
import pysam.bcftools
import pytest

from genolstm.alphabet import DNA, decode, encode
from genolstm.model import trained_model
from genolstm.readers.variants import difference
from genolstm.settings.reading import VariantSettings
from genolstm.store.checkpoint import read_checkpoint
from genolstm.store.genome import open_genome
from genolstm.store.variants import open_variants
from genolstm.variants.effects import effects_of
from genolstm.variants.places import Alleles

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1"
QUICK = ("-t", "1", "--device", "cpu", "-q")
STRANDS = ("", "_FWD", "_REV")
FLOATS = [f"LSTM_{what}{strand}" for what in ("LLR", "SHIFT") for strand in STRANDS]
LAYOUT = [(150, 1, "snv"), (250, 1, "snv"), (300, 3, "deletion"), (310, 1, "insertion"), (330, 4, "block")]
HEADER = ["##fileformat=VCFv4.2", '##INFO=<ID=AC,Number=1,Type=Integer,Description="x">',
          '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']  # fmt: skip


@pytest.fixture(scope="module")
def letters(genome_file):
    genome = open_genome(genome_file)
    return {
        name: decode(genome.all_codes[start : start + length], DNA)
        for name, start, length in zip(genome.names, genome.starts, genome.lengths, strict=True)
    }


def other(letter):
    return "CAAA"["ACGT".index(letter)]


@pytest.fixture(scope="module")
def lines(letters):
    """Records on every contig: SNVs, indels, a block, multi-allelic with * and symbolic."""
    made = []
    for name in ("I", "II", "III"):
        for at, length, kind in LAYOUT:
            ref = letters[name][at : at + length]
            alt = {
                "snv": other(ref[0]),
                "deletion": ref[0],
                "insertion": ref + "TTG",
                "block": "".join(map(other, ref)),
            }
            made.append(f"{name}\t{at + 1}\trs{at}\t{ref.lower()}\t{alt[kind]}\t29.50\tPASS\tAC=07\tGT\t0|1")
        ref = letters[name][350]
        made.append(f"{name}\t351\t.\t{ref}\t{other(ref)},*,<DEL>\t.\t.\t.\tGT\t./.")
    return made


@pytest.fixture
def vcf(lines, tmp_path):
    """Function: lines -> path of a VCF."""

    def made(records=lines, header=HEADER):
        path = tmp_path / "in.vcf"
        path.write_text("\n".join([*header, COLUMNS, *records]) + "\n")
        return path

    return made


@pytest.fixture
def variants(run, model_file, genome_file, tmp_path):
    """Function: VCF, options -> what was said, and the path of what was written."""

    def ran(path, *options, name="out.vcf.gz", model=model_file, genome=genome_file, say=QUICK):
        return run("variants", model, genome, path, "-o", tmp_path / name, *say, *options), tmp_path / name

    return ran


def info(path, field):
    with pysam.VariantFile(str(path)) as file:
        return [record.info.get(field) for record in file]


def test_file_holds_what_the_library_finds(variants, vcf, model_file, genome_file, letters):
    ended, path = variants(vcf())
    assert ended == (0, "", ended.err)
    with pysam.VariantFile(str(path)) as file:
        rows = [
            (r.chrom, difference(r.start, r.ref.upper(), alt), {k: v[n] for k, v in r.info.items() if k in FLOATS})
            for r in file
            for n, alt in enumerate(r.alts)
            if set(alt) <= set("ACGT")
        ]
    assert len(rows) == 18
    names = list(letters)
    checkpoint = read_checkpoint(model_file)
    found = effects_of(
        trained_model(checkpoint.model, checkpoint.weights),
        open_genome(genome_file),
        Alleles(
            contig=np.array([names.index(name) for name, *_ in rows]),
            start=np.array([each.start for _, each, _ in rows]),
            end=np.array([each.end for _, each, _ in rows]),
            letters=encode("".join(each.letters for _, each, _ in rows), DNA),
            first=np.cumsum([0, *(len(each.letters) for _, each, _ in rows)]),
        ),
        VariantSettings(exact=True),
    )
    for (*_, told), ratio, shift in zip(rows, found.log_ratio, found.shift, strict=True):
        expected = [ratio.mean(), *ratio, shift.mean(), *shift]
        assert [told[name] for name in FLOATS] == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_every_other_byte_of_the_records_is_as_it_was(variants, vcf, lines):
    _, path = variants(vcf(), name="out.vcf")
    kept = []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        columns = line.split("\t")
        columns[7] = ";".join(each for each in columns[7].split(";") if not each.startswith(("LSTM", "MARKOV"))) or "."
        kept.append("\t".join(columns))
    assert kept == lines
    text = path.read_text().splitlines()
    assert [line for line in text if line in HEADER] == HEADER
    assert "##contig=<ID=II,length=500>" in text


def test_alleles_without_a_sequence_have_a_missing_value(variants, vcf):
    _, path = variants(vcf())
    values = info(path, "LSTM_LLR")[5]
    assert values[0] is not None
    assert values[1:] == (None, None)


@pytest.mark.parametrize("name", ["out.vcf", "out.vcf.gz", "out.bcf"])
def test_bcftools_reads_every_form(variants, vcf, name):
    if not shutil.which("bcftools"):
        pytest.skip("bcftools is not installed")
    _, path = variants(vcf(), name=name)

    def bcftools(*arguments):
        done = subprocess.run(["bcftools", *map(str, arguments)], capture_output=True, text=True, check=True)
        assert not [line for line in done.stderr.splitlines() if line.startswith(("[E", "[W"))]
        return done.stdout.splitlines()

    rows = bcftools("query", "-f", "%CHROM %POS %AC %LSTM_LLR %LSTM_SHIFT_REV [%GT]\n", path)
    assert len(rows) == 18
    assert [len(row.split()) for row in rows] == [6] * 18
    assert rows[5].split()[3].endswith(",.,.")
    if name != "out.vcf":
        assert len(bcftools("view", "-H", "-r", "II:200-320", path)) == 3
    assert len(bcftools("view", "-H", "-i", "INFO/LSTM_LLR<1000", path)) == 18


def test_header_says_which_model_and_how(variants, vcf, model_file, genome_file):
    from genolstm.store.files import file_sha256

    _, path = variants(vcf(), "--window", "9")
    with pysam.VariantFile(str(path)) as file:
        notes = dict(line.removeprefix("##").split("=", 1) for line in str(file.header).splitlines() if "##g" in line)
        described = file.header.info["LSTM_LLR"]
    assert notes["genolstm_model_sha256"] == file_sha256(model_file)
    assert notes["genolstm_genome_sha256"] == open_genome(genome_file).sha256
    assert notes["genolstm_window"] == "9"
    assert notes["genolstm_command"].startswith("genolstm variants ")
    assert notes["genolstm_trained_contigs"] == ",".join(read_checkpoint(model_file).seen)
    assert (described.number, described.type) == ("A", "Float")
    assert "9 bases" in described.description


def test_variants_on_trained_contigs_are_flagged_counted_and_said(run, variants, vcf, genome_file, tmp_path):
    model = tmp_path / "model.h5"
    small = ("--hidden", "8", "--lanes", "4", "--chunk", "16", "--bases", "600", "--test-contigs", "II", *QUICK)
    assert run("train", genome_file, "-o", model, "--valid-contigs", "III", *small).code == 0
    ended, path = variants(vcf(), "--json", model=model, say=("-t", "1", "--device", "cpu"))
    assert json.loads(ended.out)["on_trained_contigs"] == 6
    assert "6 of 18 alleles scored lie in stretches that the model was trained on" in ended.err
    with pysam.VariantFile(str(path)) as file:
        assert {r.chrom for r in file if "LSTM_SEEN" in r.info} == {"I"}


def test_json_holds_the_fixed_keys(variants, vcf):
    ended, path = variants(vcf(), "--json")
    told = json.loads(ended.out)
    assert {"command", "version", "output", "seconds", "device", "seed", "records"} < told.keys()
    assert (told["command"], told["output"], told["device"]) == ("variants", str(path), "cpu")
    skipped = {"* allele of a deletion upstream": 3, "symbolic allele": 3}
    assert told["records"] == {"read": 24, "used": 18, "skipped": skipped}
    assert (told["variants"], told["alleles"], told["sorted"]) == (18, 18, True)
    assert told["seams"]["count"] >= 0


@pytest.mark.parametrize(
    ("option", "field"),
    [(("--window", "5"), "LSTM_LLR"), (("--window", "5"), "LSTM_SHIFT")],
)
def test_window_changes_the_values(variants, vcf, option, field):
    plain, changed = (info(variants(vcf(), *each, name=f"{len(each)}.vcf.gz")[1], field) for each in ((), option))
    assert plain != changed


def test_how_it_is_read_changes_the_reading_and_not_the_values(variants, vcf, monkeypatch):
    import genolstm.variants.annotated as module

    given = []
    true = module.effects_of
    monkeypatch.setattr(module, "effects_of", lambda *a, **k: given.append(a[3]) or true(*a, **k))
    plain = info(variants(vcf(), name="plain.vcf.gz")[1], "LSTM_LLR")
    for option in (("--exact",), ("--lanes", "2"), ("--burn-in", "40"), ("--batch", "3")):
        changed = info(variants(vcf(), *option, name=f"{option[0]}.vcf.gz")[1], "LSTM_LLR")
        for one, two in zip(plain, changed, strict=True):
            assert [x for x in one if x is not None] == pytest.approx([x for x in two if x is not None], abs=1e-4)
    defaults = VariantSettings()
    assert given[0] == defaults
    assert [(s.exact, s.lanes, s.burn_in, s.batch) for s in given[1:]] == [
        (True, defaults.lanes, defaults.burn_in, defaults.batch),
        (False, 2, defaults.burn_in, defaults.batch),
        (False, defaults.lanes, 40, defaults.batch),
        (False, defaults.lanes, defaults.burn_in, 3),
    ]


def test_same_command_gives_the_same_file_and_replaces_only_by_force(variants, vcf):
    def read(path):
        with pysam.BGZFile(str(path)) as file:
            return [line for line in file if not line.startswith(b"##genolstm_command")]

    source = vcf()
    once = read(variants(source)[1])
    ended, path = variants(source)
    assert (ended.code, "exists; add --force" in ended.err) == (2, True)
    assert variants(source, "--force")[0].code == 0
    assert read(path) == once


def test_unsorted_vcf_keeps_its_order_and_has_no_index(variants, vcf, lines):
    ended, path = variants(vcf(lines[::-1]), say=("-t", "1", "--device", "cpu"))
    assert ended.code == 0
    assert f"is not sorted (first at III:331), so {path} has no index: sort it with 'bcftools sort'" in ended.err
    assert [each.name for each in path.parent.iterdir() if "out" in each.name] == ["out.vcf.gz"]
    _, straight = variants(vcf(), name="sorted.vcf.gz")
    for one, two in zip(info(path, "LSTM_LLR")[::-1], info(straight, "LSTM_LLR"), strict=True):
        assert [x for x in one if x is not None] == pytest.approx([x for x in two if x is not None], abs=1e-4)


def test_ref_that_disagrees_is_skipped_counted_and_the_first_named(variants, vcf, lines, letters):
    wrong = [f"I\t{at + 1}\t.\t{other(letters['I'][at])}\t{letters['I'][at]}\t.\t.\tX=1\tGT\t0/0" for at in (7, 8)]
    ended, path = variants(vcf([*wrong, *lines]), "--json", say=("-t", "1", "--device", "cpu"))
    assert json.loads(ended.out)["records"]["skipped"]["REF disagrees with the genome"] == 2
    first = f"I:8 {other(letters['I'][7])}>{letters['I'][7]} where the genome has {letters['I'][7]}"
    assert f"REF disagrees with the genome for 2 alleles, the first at {first}" in ended.err
    with pysam.BGZFile(str(path)) as file:
        kept = [line.decode() for line in file if not line.startswith(b"#")]
    assert kept[:2] == wrong


def test_wrong_assembly_is_suspected(variants, vcf, letters):
    rows = [f"I\t{at + 1}\t.\t{other(letters['I'][at])}\tT\t.\t.\t.\tGT\t0/0" for at in range(300, 304)]
    ended, _ = variants(vcf([row for row in rows if "\tT\tT\t" not in row]))
    assert ended.code == 0
    assert "REF disagrees more often than not: is" in ended.err


def test_foreign_contigs_are_left_out_and_named(variants, vcf, lines):
    ended, _ = variants(vcf([*lines, "chrM\t5\t.\tA\tC\t.\t.\t.\tGT\t0/0"]), "--json")
    assert json.loads(ended.out)["records"]["skipped"]["contig not in genome"] == 1
    assert ended.err.splitlines()[-1].endswith("lacks: chrM")


def test_no_shared_contig_shows_both_lists_and_leaves_nothing(variants, vcf):
    ended, path = variants(vcf(["chrI\t5\t.\tA\tC\t.\t.\t.\tGT\t0/0"]))
    assert ended.code == 3
    assert "the first has chrI and the second has I, II, III; they differ by the prefix 'chr'" in ended.err
    assert [each.name for each in path.parent.iterdir()] == ["in.vcf"]


def test_contig_of_another_length_is_refused(variants, vcf):
    ended, _ = variants(vcf(header=[*HEADER, "##contig=<ID=I,length=7>"]))
    assert ended.code == 3
    assert "I has 7 bp in the first and 1,202 bp in the second" in ended.err


def test_vcf_without_records_is_a_vcf_without_records(variants, vcf):
    ended, path = variants(vcf([]), "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["records"] == {"read": 0, "used": 0, "skipped": {}}
    assert info(path, "LSTM_LLR") == []


def test_what_is_no_vcf_is_exit_3_and_no_output(variants, fasta, tmp_path):
    ended, _ = variants(fasta)
    assert ended.code == 3
    assert ended.err == f"genolstm: {fasta} looks like FASTA, not like VCF; give a VCF file.\n"
    assert list(tmp_path.iterdir()) == []


def test_suffix_that_is_no_vcf_is_wrong_usage(variants, vcf):
    ended, path = variants(vcf(), name="out.tsv")
    assert (ended.code, path.exists()) == (2, False)
    assert "must end with .vcf, .vcf.gz" in ended.err


def test_output_that_is_the_input_is_refused_even_by_force(variants, vcf):
    ended, path = variants(vcf(), "--force", name="in.vcf")
    assert ended.code == 2
    assert "is also an input" in ended.err
    assert path.read_text().startswith("##fileformat")


def test_protein_genome_is_refused(run, variants, vcf, tmp_path):
    (tmp_path / "p.fa").write_text(">p\nMKVLAW\n")
    assert run("ingest", tmp_path / "p.fa", "-o", tmp_path / "p.h5", "--alphabet", "protein", "-q").code == 0
    ended, _ = variants(vcf(), genome=tmp_path / "p.h5")
    assert ended.code == 3
    assert "give a genome of the model's alphabet" in ended.err


def test_every_option_default_is_a_settings_default():
    import inspect

    from genolstm.cli.variants import variants as command

    told = {name: each.default for name, each in inspect.signature(command).parameters.items()}
    assert {name: told[name] for name in ("window", "batch", "lanes", "burn_in", "exact")} == {
        name: getattr(VariantSettings, name) for name in ("window", "batch", "lanes", "burn_in", "exact")
    }


def test_every_snv_of_a_region_equals_the_same_changes_in_a_vcf(run, variants, vcf, letters, model_file, genome_file,
                                                               tmp_path):  # fmt: skip
    snvs, prefix = tmp_path / "snvs.h5", tmp_path / "llr"
    ended = run("variants", model_file, genome_file, "--all-snvs", "--region", "II:101-140", "--region", "III:1-30",
                "-o", snvs, "--bigwig", prefix, "--figure", tmp_path / "f.svg", "--json", *QUICK)  # fmt: skip
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["alleles"] == 210
    places = [("II", at) for at in range(100, 140)] + [("III", at) for at in range(30)]
    lines = [
        f"{name}\t{at + 1}\t.\t{letters[name][at]}\t{','.join(sorted(set('ACGT') - {letters[name][at]}))}\t.\t.\t."
        "\tGT\t0|1"
        for name, at in places
    ]
    _, path = variants(vcf(lines), name="out.vcf")
    with open_variants(snvs) as file:
        ratio, shift = file.ratio(0, 70), file.shift(0, 70)
    shifts = []
    with pysam.VariantFile(str(path)) as file:
        for row, record in enumerate(file):
            columns = ["ACGT".index(alt) for alt in record.alts]
            for strand, end in enumerate(("_FWD", "_REV")):
                expected = [float(f"{value:.6g}") for value in ratio[row, strand, columns]]
                np.testing.assert_array_equal(np.float32(record.info[f"LSTM_LLR{end}"]), np.float32(expected))
            shifts.append(np.float32(record.info["LSTM_SHIFT_FWD"]))
            np.testing.assert_allclose(shifts[-1], shift[row, 0, columns], rtol=1e-5)
    assert len(shifts) == 70
    for letter in "ACGT":
        track = pybigtools.open(str(prefix.with_name(f"llr.{letter}.bw")))
        expected = ratio[:40, :, "ACGT".index(letter)].mean(axis=1).astype(np.float32)
        np.testing.assert_array_equal(np.float32(track.values("II", 100, 140, fillna=None)), expected)
    assert (tmp_path / "f.svg").read_text().count("<svg") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "no VCF is named: give one, or --all-snvs for every single-base change of a region."),
        (("in.vcf", "--all-snvs"), 2, "--all-snvs reads no VCF: leave in.vcf out, or --all-snvs."),
        (("in.vcf", "--region", "I"), 2, "--region has no effect on a VCF, only with --all-snvs: leave it out."),
        (("in.vcf", "--bigwig", "x"), 2, "--bigwig has no effect on a VCF, only with --all-snvs: leave it out."),
        (("in.vcf", "--figure", "x.svg"), 2, "--figure has no effect on a VCF, only with --all-snvs: leave it out."),
        (("--all-snvs",), 2, "output out.vcf must end with .h5 for --all-snvs; name it so."),
        (("--all-snvs", "--region", "II:1-501", "-o", "out.h5"), 2,
         "region 'II:1-501' ends past contig 'II' of 500 symbols; end it there."),
        (("--all-snvs", "--region", "IV", "-o", "out.h5"), 3,
         "region 'IV' names no contig of the genome, which has I, II, III. Correct the name."),
    ],
)  # fmt: skip
def test_all_snvs_that_cannot_be_are_refused(run, model_file, genome_file, tmp_path, monkeypatch, arguments, code,
                                             sentence):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ended = run("variants", model_file, genome_file, "-o", "out.vcf", *QUICK, *arguments)
    assert ended == (code, "", f"genolstm: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


def test_proteins_have_no_single_base_changes(run, tmp_path):
    fasta, genome, model = (tmp_path / name for name in ("p.fa", "p.h5", "m.h5"))
    rng = np.random.default_rng(1)
    fasta.write_text("".join(f">p{n}\n{''.join(rng.choice(list('ACDEFGHIKL'), 60))}\n" for n in range(30)))
    assert run("ingest", fasta, "-o", genome, "--alphabet", "protein", "-q").code == 0
    small = ("--hidden", "4", "--lanes", "2", "--bases", "300", *QUICK)
    assert run("train", genome, "-o", model, *small).code == 0
    ended = run("variants", model, genome, "--all-snvs", "-o", tmp_path / "out.h5", *QUICK)
    assert ended == (3, "", f"genolstm: {genome} holds proteins, and variants are changes of DNA; give a genome.\n")


def test_controls_stand_beside_every_ratio(variants, vcf):
    ended, path = variants(vcf(), "--background", "4", name="out.vcf")
    assert ended.code == 0, ended.err
    with pysam.VariantFile(str(path)) as file:
        header = str(file.header)
        records = list(file)
    assert "##genolstm_markov_counted_on=the model's training stretches" in header
    assert "##genolstm_percentiles_from=" in header
    for record in records:
        for name in ("MARKOV_LLR", "MARKOV_LLR_FWD", "MARKOV_LLR_REV", "LSTM_PERCENTILE"):
            assert len(record.info[name]) == len(record.alts)
        forward, reverse = (record.info[f"MARKOV_LLR_{strand}"][0] for strand in ("FWD", "REV"))
        assert record.info["MARKOV_LLR"][0] == pytest.approx((forward + reverse) / 2, abs=1e-4)
    told = [record.info["LSTM_PERCENTILE"][0] for record in records if len(record.ref) == len(record.alts[0]) == 1]
    assert len(told) == 9
    assert all(0 <= value <= 100 for value in told)
    _, plain = variants(vcf(), "--no-markov", name="plain.vcf")
    assert "MARKOV_LLR" not in plain.read_text()
    assert "LSTM_PERCENTILE" not in plain.read_text()
    assert info(plain, "LSTM_LLR") == info(path, "LSTM_LLR")


def test_labels_of_a_column_are_told_the_same_from_python(variants, vcf, letters, model_file, genome_file):
    import genolstm as gl

    rest = ("q10\tX=1\tGT\t0|1", "PASS\tX=1\tGT\t0|1")
    lines = [
        f"{name}\t{at + 1}\t.\t{letters[name][at]}\t{other(letters[name][at])}\t.\t{rest[at % 4 > 0]}"
        for name, length in (("I", 1150), ("II", 480), ("III", 380))
        for at in range(130, length, 9)
    ]
    text = vcf(lines)
    ended, path = variants(text, "--labels", "FILTER=q10", "--block-bp", "100", "--json", name="out.vcf")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)["labels"]
    found = gl.score_variants(gl.load(model_file), gl.open_genome(genome_file), text, labels="FILTER=q10", block_bp=100)
    assert told["positives"] == found.labels.positives > 20
    assert list(found.labels.difference) == told["difference"]
    assert np.allclose([row[0] for row in info(path, "LSTM_LLR")], found.table()["log_ratio"], rtol=1e-5)


def test_labels_are_judged_and_told(variants, vcf, letters):
    lines = [
        f"{name}\t{at + 1}\t.\t{letters[name][at]}\t{other(letters[name][at])}\t.\t.\tGOOD={int(at % 4 == 0)}\tGT\t0|1"
        for name, length in (("I", 1150), ("II", 480), ("III", 380))
        for at in range(130, length, 9)
    ]
    ended, path = variants(vcf(lines), "--labels", "GOOD", "--block-bp", "100", "--json", name="out.vcf")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)["labels"]
    assert told["variants"] == len(lines)
    assert set(told["scores"]) >= {"model", "markov", "gc", "all_controls", "all_controls_and_model"}
    assert told["verdict"] in {"gain", "no gain", "worse"}
    assert told["difference"][1] <= told["difference"][0] <= told["difference"][2]
    assert path.exists()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--labels", "NONE"), 3, "no record of the VCF has the INFO field NONE of --labels; name one that it has."),
        (("--labels", "AC", "--no-markov"), 2, "--labels hold the model against the Markov model: leave"
         " --no-markov out."),
        (("--labels", "AC"), 3, "record I:151 has AC=07, which is no label: use a flag, or 1 and 0, or name the value"
         " of positives as AC=VALUE."),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_are_refused(variants, vcf, options, code, sentence):
    ended, _ = variants(vcf(), *options, name="out.vcf")
    assert (ended.code, ended.err.splitlines()[-1]) == (code, f"genolstm: {sentence}")

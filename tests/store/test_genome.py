"""Genome files: what was in the FASTA, mapped from disk, in memory that does not grow."""

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genolstm.alphabet import DNA, PROTEIN, decode, encode
from genolstm.errors import InputError
from genolstm.readers.fasta import SequenceBlock, read_fasta
from genolstm.regions import Region
from genolstm.store.files import open_file
from genolstm.store.genome import INTERVAL_CHUNK, open_genome, soft_mask, write_genome
from genolstm.store.schema import Kind

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
SEQUENCES = st.text("ACGTNacgtnRYryUu", min_size=1, max_size=60)


def block(name, letters, *, starts=True):
    """A block as the reader hands it over; lower case is masked."""
    lower = np.array([letter.islower() for letter in letters])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lower, [False]]).astype(np.int8)))
    return SequenceBlock(
        name=name,
        starts_record=starts,
        codes=encode(letters, DNA),
        masked=edges.astype(np.int64).reshape(-1, 2),
        ambiguous={},
        read_as={},
    )


def masked_of(letters):
    return block("x", letters).masked.tolist()


@pytest.fixture
def written(tmp_path, provenance):
    """Function: blocks -> path and summary of a genome file."""

    def write(blocks, alphabet=DNA):
        path = tmp_path / "genome.h5"
        return path, write_genome(path, blocks, alphabet, provenance)

    return write


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.dictionaries(NAMES, SEQUENCES, min_size=1, max_size=5),
    width=st.integers(1, 70),
    block_bytes=st.integers(2, 80),
)
def test_decoded_genome_equals_the_fasta(tmp_path, provenance, records, width, block_bytes):
    lines = [
        line
        for name, letters in records.items()
        for line in (f">{name} about it", *(letters[at : at + width] for at in range(0, len(letters), width)))
    ]
    source, path = tmp_path / "genome.fa", tmp_path / "genome.h5"
    source.write_text("\n".join(lines), encoding="utf-8")
    summary = write_genome(path, read_fasta(source, DNA, block_bytes=block_bytes), DNA, provenance)
    genome = open_genome(path)
    assert genome.names == tuple(records)
    for name, letters in records.items():
        read_as = letters.upper().translate(str.maketrans("RYU", "NNT"))
        assert decode(genome.codes(Region(contig=name, start=0, end=len(letters))), DNA) == read_as
        assert soft_mask(path, name).tolist() == masked_of(letters.translate(str.maketrans("ryuRYU", "nntNNT")))
        assert genome.unknown[genome.names.index(name)] == read_as.count("N")
    joined = "".join(records.values())
    assert (summary.contigs, summary.symbols) == (len(records), len(joined))
    assert summary.unknown == sum(letter in "NRY" for letter in joined.upper())
    assert summary.masked == sum(map(str.islower, joined))
    assert summary.letters == {letter: n for letter in "NRUY" if (n := joined.upper().count(letter))}
    with open_file(path, Kind.GENOME, verify=True) as file:
        assert dict(zip(file["letters/letter"].asstr(), file["letters/count"], strict=True)) == summary.letters


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["ACgt", "acGT"], [[2, 6]]),  # goes on
        (["acgt", "acgt", "ac"], [[0, 10]]),  # and on
        (["ACgt", "ACGT", "acGT"], [[2, 4], [8, 10]]),  # a block without any between
        (["ACgt", "Acgt"], [[2, 4], [5, 8]]),  # begins one later
        (["acGt", "aCgt"], [[0, 2], [3, 5], [6, 8]]),
        (["ACGT", "ACGT"], []),
    ],
)
def test_mask_that_continues_over_blocks_is_one_interval(written, pieces, expected):
    path, summary = written(block("I", piece, starts=place == 0) for place, piece in enumerate(pieces))
    assert soft_mask(path, "I").tolist() == expected
    assert summary.masked == sum(end - start for start, end in expected)


def test_mask_never_runs_from_one_contig_into_the_next(written):
    path, _ = written([block("I", "ACgt"), block("II", "acGT"), block("III", "ACGT"), block("IV", "acgt")])
    found = {name: soft_mask(path, name).tolist() for name in ("I", "II", "III", "IV")}
    assert found == {"I": [[2, 4]], "II": [[0, 2]], "III": [], "IV": [[0, 4]]}


def test_more_mask_intervals_than_are_held_in_memory_are_all_kept(written):
    blocks = 3 * INTERVAL_CHUNK // 50
    path, summary = written(block("I", "aC" * 50, starts=place == 0) for place in range(blocks))
    expected = np.arange(0, 100 * blocks, 2)
    np.testing.assert_array_equal(soft_mask(path, "I"), np.stack([expected, expected + 1], axis=1))
    assert summary.masked == len(expected)


def test_codes_are_mapped_and_not_loaded(written):
    path, _ = written([block("I", "ACGT" * 100), block("II", "TTTT")])
    genome = open_genome(path)
    assert isinstance(genome.mapped, np.memmap)
    assert np.shares_memory(genome.all_codes, genome.mapped)
    view = genome.codes(Region(contig="II", start=1, end=3))
    assert view.base is not None
    assert decode(view, DNA) == "TT"
    before = path.read_bytes()
    genome.all_codes[0] = 3  # a private page: the file does not change
    assert path.read_bytes() == before
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["codes"][1:], genome.all_codes[1:])


def test_sequence_hash_depends_on_names_and_codes_alone(tmp_path, provenance):
    def sha256(*blocks):
        write_genome(tmp_path / "g.h5", blocks, DNA, provenance)
        return open_genome(tmp_path / "g.h5").sha256

    whole = sha256(block("I", "ACGT"))
    assert sha256(block("I", "AC"), block("I", "GT", starts=False)) == whole
    assert sha256(block("I", "acgt")) == whole
    others = [
        sha256(block("II", "ACGT")),
        sha256(block("I", "ACGA")),
        sha256(block("I", "AC"), block("II", "GT")),
        sha256(block("I", "A"), block("II", "CGT")),
    ]
    assert len({whole, *others}) == 5


@pytest.mark.parametrize("name", ["chr|1", "a/b", "..", "I:1-2", "x" * 300, "β", "[red]", "*", "%s", "{0}"])
def test_odd_contig_names_are_only_names(written, name):
    path, _ = written([block(name, "ACgt"), block("II", "AC")])
    genome = open_genome(path)
    assert genome.names == (name, "II")
    assert genome.length_of == {name: 4, "II": 2}
    assert decode(genome.codes(Region(contig=name, start=1, end=3)), DNA) == "CG"
    assert soft_mask(path, name).tolist() == [[2, 4]]


def test_protein_genome_keeps_its_alphabet(tmp_path, provenance, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b">p\nMKVLX*B\n")))
    write_genome(tmp_path / "p.h5", read_fasta("-", PROTEIN), PROTEIN, provenance)
    genome = open_genome(tmp_path / "p.h5")
    assert genome.alphabet is PROTEIN
    assert decode(genome.all_codes, PROTEIN) == "MKVLXXX"
    assert genome.unknown.tolist() == [3]


def test_region_that_is_not_there_is_named(written):
    path, _ = written([block("I", "ACGT")])
    genome = open_genome(path)
    for region, sentence in (
        (Region(contig="II", start=0, end=1), f"contig 'II' is not in {path}; it has I. Rename or re-ingest."),
        (Region(contig="I", start=3, end=5), "lies outside contig 'I' of 4 symbols."),
        (Region(contig="I", start=-1, end=2), "lies outside contig 'I' of 4 symbols."),
        (Region(contig="I", start=3, end=2), "lies outside contig 'I' of 4 symbols."),
    ):
        with pytest.raises(InputError) as refused:
            genome.codes(region)
        assert str(refused.value).endswith(sentence)
    with pytest.raises(InputError, match=r"^contig 'II' is not in .*; it has I\. Rename or re-ingest\.$"):
        soft_mask(path, "II")
    assert genome.codes(Region(contig="I", start=4, end=4)).size == 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda file: file.attrs.__setitem__("alphabet", "rna"),
            "is damaged (there is no alphabet 'rna')",
        ),
        (lambda file: file.attrs.pop("sequence_sha256"), "is damaged ("),
        (lambda file: file["contigs/length"].write_direct(np.array([3, 2])), "its contigs do not fill its codes"),
        (lambda file: file["contigs/length"].write_direct(np.array([6, 0])), "its contigs do not fill its codes"),
        (lambda file: file["contigs/start"].write_direct(np.array([0, 3])), "its contigs do not fill its codes"),
    ],
)
def test_genome_that_contradicts_itself_is_refused(written, edited, change, problem):
    path, _ = written([block("I", "ACGT"), block("II", "AC")])
    with edited(path) as file:
        change(file)
    with pytest.raises(InputError) as refused:
        open_genome(path)
    assert str(refused.value).startswith(f"{path} ")
    assert problem in str(refused.value)


def test_codes_in_chunks_cannot_be_mapped_and_are_refused(written, edited):
    path, _ = written([block("I", "ACGT")])
    with edited(path) as file:
        codes = file["codes"][()]
        del file["codes"]
        file.create_dataset("codes", data=codes, chunks=(2,))
    with pytest.raises(InputError, match=r"codes that cannot be memory-mapped; run 'genolstm ingest' again\.$"):
        open_genome(path)


def test_input_that_fails_in_its_middle_leaves_no_genome(tmp_path, provenance):
    (tmp_path / "bad.fa").write_text(">I\n" + "ACGT" * 5000 + "\n>II\nAC!T\n")
    with pytest.raises(InputError, match="record 'II' holds '!'"):
        write_genome(tmp_path / "g.h5", read_fasta(tmp_path / "bad.fa", DNA, block_bytes=100), DNA, provenance)
    assert [each.name for each in tmp_path.iterdir()] == ["bad.fa"]


# VmHWM, not ru_maxrss: that one is handed down by the process that started this one
MEASURED = """
from pathlib import Path
from genolstm.cli.app import main
try:
    main()
finally:
    print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc/self/status to read a process's peak from")
def test_peak_memory_of_ingest_does_not_grow_with_the_contig(tmp_path):
    line = np.random.default_rng(1).choice(list("ACGTacgt"), 60)
    peaks = []
    for megabases in (1, 20):
        source = tmp_path / "big.fa"
        source.write_text(">I\n" + ("".join(line) + "\n") * (megabases * 1_000_000 // 60))
        command = [sys.executable, "-c", MEASURED, "ingest", source, "-o", tmp_path / "g.h5", "-f", "-q"]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] < 1.10 * peaks[0]

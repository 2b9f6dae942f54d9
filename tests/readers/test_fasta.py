import gzip
import io
import re
import struct
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genolstm.alphabet import DNA, PROTEIN, Alphabet, decode
from genolstm.errors import InputError
from genolstm.readers.fasta import SequenceBlock, Stops, read_fasta, read_fasta_slowly

REAL_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real genomes in {REAL_DATA}")
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # SAM specification, 4.1.2


def write(folder: Path, content: bytes, name: str = "genome.fa") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def texts(blocks: list[SequenceBlock], alphabet: Alphabet = DNA) -> dict[str, str]:
    """Name -> letters of whole records; checks what each list of blocks must keep."""
    text: dict[str, str] = {}
    for block in blocks:
        assert block.starts_record == (block.name not in text)
        assert block.codes.dtype == np.uint8
        assert block.codes.size > 0
        text[block.name] = text.get(block.name, "") + decode(block.codes, alphabet)
    return text


def masks(blocks: list[SequenceBlock]) -> dict[str, list[bool]]:
    """Name -> one flag per symbol of whole records; checks that intervals are sorted, disjoint and in bounds."""
    flags: dict[str, list[bool]] = {}
    for block in blocks:
        assert block.masked.dtype == np.int64
        assert block.masked.shape == (len(block.masked), 2)
        bounds = block.masked.ravel()
        assert np.all(np.diff(bounds) > 0)
        assert bounds.size == 0 or (bounds[0] >= 0 and bounds[-1] <= block.codes.size)
        flag = np.zeros(block.codes.size, dtype=bool)
        for start, end in block.masked:
            flag[start:end] = True
        flags.setdefault(block.name, []).extend(flag.tolist())
    return flags


def totals(blocks: list[SequenceBlock], field: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for block in blocks:
        assert 0 not in getattr(block, field).values()
        counts.update(getattr(block, field))
    return counts


def refusal(path: Path, alphabet: Alphabet = DNA, **options: int) -> str:
    """Return the sentence, without the file's name, with which a file is refused."""
    with pytest.raises(InputError) as caught:
        list(read_fasta(path, alphabet, **options))
    message = str(caught.value)
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def bgzip(content: bytes, member_bytes: int = 50) -> bytes:
    """Compress as bgzip does: small members whose headers say their size, then the empty one."""
    members = []
    for start in range(0, len(content), member_bytes):
        text = content[start : start + member_bytes]
        deflate = zlib.compressobj(wbits=-15)
        data = deflate.compress(text) + deflate.flush()
        header = bytes.fromhex("1f8b08040000000000ff06004243 0200") + struct.pack("<H", len(data) + 25)
        members.append(header + data + struct.pack("<II", zlib.crc32(text), len(text)))
    return b"".join(members) + BGZIP_END


def two_members(content: bytes) -> bytes:
    return gzip.compress(content[:7]) + gzip.compress(content[7:])


# --- the law: blocks joined equal the twin --------------------------------------------------------------------------

DNA_SYMBOLS = DNA.letters + DNA.ambiguous + "U"
PROTEIN_SYMBOLS = PROTEIN.letters + PROTEIN.ambiguous
NAMES = st.text(alphabet="abz019|_.>é", min_size=1, max_size=12)
HEADER_RESTS = st.sampled_from(["", " ", " a > b", "\tdescription", " x" * 20])
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", " \n", "\t\r\n"])
COMPRESSIONS = st.sampled_from([bytes, gzip.compress, bgzip, two_members])


@st.composite
def fasta_records(draw: st.DrawFn, symbols: str) -> list[tuple[str, str, str]]:
    """Draw name, rest of the header, sequence; with longer runs of a case and of a letter than by chance."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    stretch = st.text(alphabet=symbols + symbols.lower() + " ", min_size=0, max_size=9)
    run = st.tuples(st.sampled_from(symbols + symbols.lower()), st.integers(1, 12)).map(lambda pair: pair[0] * pair[1])
    sequence = st.lists(run | stretch | stretch.map(str.lower), min_size=1, max_size=9).map("".join)
    return [(name, draw(HEADER_RESTS), draw(sequence.filter(str.strip))) for name in names]


@st.composite
def fasta_bytes(draw: st.DrawFn, symbols: str) -> tuple[list[tuple[str, str, str]], bytes]:
    records, width, end = draw(fasta_records(symbols)), draw(st.integers(1, 30)), draw(LINE_ENDS)
    text = draw(st.sampled_from(["", "\ufeff"]))
    for name, rest, sequence in records:
        lines = [sequence[start : start + width] for start in range(0, len(sequence), width)]
        text += f">{name}{rest}{end}" + end.join(lines) + end
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return records, draw(COMPRESSIONS)(text.encode())


@settings(max_examples=300, deadline=None)
@given(made=fasta_bytes(DNA_SYMBOLS), block_bytes=st.integers(1, 7) | st.sampled_from([64, 1 << 18]))
def test_joined_blocks_equal_the_twin_wherever_blocks_end(tmp_path_factory, made, block_bytes):
    records, content = made
    path = write(tmp_path_factory.mktemp("law"), content)
    blocks = list(read_fasta(path, DNA, block_bytes=block_bytes))
    assert all(block.codes.size <= block_bytes for block in blocks)

    assert texts(blocks) == {name: decode(codes, DNA) for name, codes in read_fasta_slowly(path, DNA)}
    sequences = {name: sequence.replace(" ", "") for name, _, sequence in records}
    assert masks(blocks) == {name: [letter.islower() for letter in text] for name, text in sequences.items()}
    letters = Counter("".join(sequences.values()).upper())
    assert totals(blocks, "ambiguous") == Counter({k: n for k, n in letters.items() if k in DNA.ambiguous + "N"})
    assert totals(blocks, "read_as") == Counter({k: n for k, n in letters.items() if k == "U"})


@settings(max_examples=100, deadline=None)
@given(made=fasta_bytes(PROTEIN_SYMBOLS), block_bytes=st.integers(1, 7) | st.just(1 << 18))
def test_joined_protein_blocks_equal_the_twin(tmp_path_factory, made, block_bytes):
    records, content = made
    chains = [sequence.replace(" ", "").upper().rstrip("*") for _, _, sequence in records]
    assume(all(chains))  # a stop sign alone is no protein
    path, stops = write(tmp_path_factory.mktemp("law"), content), Stops()
    blocks = list(read_fasta(path, PROTEIN, block_bytes=block_bytes, stops=stops))
    assert texts(blocks, PROTEIN) == {name: decode(codes, PROTEIN) for name, codes in read_fasta_slowly(path, PROTEIN)}
    letters = Counter("".join(chains))
    assert totals(blocks, "ambiguous") == Counter({k: n for k, n in letters.items() if k in PROTEIN.ambiguous + "X"})
    assert stops.ended == sum(sequence.replace(" ", "").endswith("*") for _, _, sequence in records)
    assert (stops.within, stops.broken) == (letters["*"], sum("*" in chain for chain in chains))


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=60) | st.text(alphabet=">ACGT\r\n -x@", max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_sentence_whatever_the_block_size(tmp_path_factory, content):
    path = write(tmp_path_factory.mktemp("any"), content)
    outcomes = []
    for block_bytes in (1, 3, 1 << 18):
        try:
            outcomes.append(texts(list(read_fasta(path, DNA, block_bytes=block_bytes))))
        except InputError as error:
            outcomes.append({"refused": re.fullmatch(f"{re.escape(str(path))}.*[.]", str(error)) is not None})
    assert outcomes[0].get("refused", True)
    assert outcomes[0] == outcomes[1] == outcomes[2]


# --- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b">r d\nACG\nTN\n", id="plain"),
        pytest.param(b">r d\r\nACG\r\nTN\r\n", id="crlf"),
        pytest.param(b">r d\rACG\rTN\r", id="old-mac"),
        pytest.param(b">r d\nACG\nTN", id="no-last-newline"),
        pytest.param(b"\xef\xbb\xbf>r d\nACG\nTN\n", id="utf8-bom"),
        pytest.param(b"\n \n>r d\n\nACG\n\n\nTN\n\n", id="blank-lines"),
        pytest.param(b">r d\n A CG\t\nT\x0bN \n", id="white-space"),
        pytest.param(b"\n" * 2000 + b">r d\nACG\nTN\n", id="many-blank-lines-first"),
        pytest.param(gzip.compress(b">r d\nACG\nTN\n") + b"\0" * 100_000, id="gzip-zero-padding"),
        pytest.param(gzip.compress(b">r d\nACG") + b"\0\0" + gzip.compress(b"\nTN\n"), id="gzip-padding-between"),
        pytest.param(bgzip(b">r d\nACG\nTN\n", 3), id="bgzip"),
        pytest.param(bgzip(b">r d\nACG\n", 3) + bgzip(b"TN\n", 3), id="joined-bgzip"),
        pytest.param(gzip.compress(b"") + gzip.compress(b">r d\nACG\nTN\n"), id="empty-first-member"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 2, 5, 1 << 18])
def test_same_record_however_the_file_is_written(tmp_path, monkeypatch, content, block_bytes):
    from_file = list(read_fasta(write(tmp_path, content, "named_wrongly.txt"), DNA, block_bytes=block_bytes))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    from_stdin = list(read_fasta("-", DNA, block_bytes=block_bytes))
    assert texts(from_file) == texts(from_stdin) == {"r": "ACGTN"}


def test_a_block_is_as_its_text_says(tmp_path):
    (block,) = read_fasta(write(tmp_path, b">chr1 text\nacGTn\nuURy\n"), DNA)
    assert block.name == "chr1"
    assert block.codes.tolist() == [0, 1, 2, 3, 4, 3, 3, 4, 4]
    assert block.masked.tolist() == [[0, 2], [4, 6], [8, 9]]
    assert block.ambiguous == {"N": 1, "R": 1, "Y": 1}
    assert block.read_as == {"U": 2}


def test_stars_and_rare_residues_become_unknown_and_are_counted(tmp_path):
    (block,) = read_fasta(write(tmp_path, b">p\nMK*UOx*V\n"), PROTEIN)
    assert decode(block.codes, PROTEIN) == "MKXXXXXV"
    assert block.ambiguous == {"*": 2, "U": 1, "O": 1, "X": 1}
    assert block.read_as == {}
    assert block.masked.tolist() == [[5, 6]]


def test_stop_sign_that_ends_a_protein_is_no_residue(tmp_path):
    stops = Stops()
    path = write(tmp_path, b">p\nMK*\n>q\nM*K\n**\n>r\nMV\n")
    assert texts(list(read_fasta(path, PROTEIN, stops=stops)), PROTEIN) == {"p": "MK", "q": "MXK", "r": "MV"}
    assert stops == Stops(ended=2, within=1, broken=1)


def test_protein_of_a_stop_sign_alone_is_empty(tmp_path):
    assert "record 'p' (line 1) holds a stop sign (*) and no" in refusal(write(tmp_path, b">p\n*\n>q\nMK\n"), PROTEIN)


def test_short_proteins_may_look_like_dna(tmp_path):
    path = write(tmp_path, b">a\n" + b"ACGT" * 12 + b"\n>b\nG\n")  # 49 symbols
    assert sum(block.codes.size for block in read_fasta(path, PROTEIN)) == 49


def test_one_residue_that_dna_lacks_makes_a_file_protein(tmp_path):
    path = write(tmp_path, b">a\n" + b"ACGT" * 100 + b"\n>b\nM\n")
    assert sum(block.codes.size for block in read_fasta(path, PROTEIN)) == 401


def test_name_is_the_first_word_in_utf8(tmp_path):
    path = write(tmp_path, ">gène|1\tdescription >x\nAC\n>2 \xe9\nGT\n".encode())
    assert texts(list(read_fasta(path, DNA))) == {"gène|1": "AC", "2": "GT"}


def test_description_may_be_any_bytes_of_any_length(tmp_path):
    path = write(tmp_path, b">r \x01\xff" + b"x" * 200_000 + b"\nACGT\n")
    assert texts(list(read_fasta(path, DNA, block_bytes=5_000))) == {"r": "ACGT"}


def test_codes_cannot_be_written_to(tmp_path):
    for block in read_fasta(write(tmp_path, b">a\nAC\n>b\nac\n>c\nRY\n"), DNA):
        assert not block.codes.flags.writeable


# --- what is refused, and how it is said ----------------------------------------------------------------------------

TRUNCATED_GZIP = " is cut short (its gzip data have no end); copy or download it again."
TRUNCATED_BGZIP = " is cut short ({}); copy or download it again."
NO_RECORDS = " holds no records: give a FASTA file with at least one '>' line and its sequence."
TEXT_FIRST = " holds text before the first line that begins with '>' ({}): delete it, or give a FASTA file."
GZIPPED = gzip.compress(b">r\n" + bytes(np.random.default_rng(1).choice(list(b"ACGT"), 1000).tolist()) + b"\n", mtime=0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", NO_RECORDS),
        (b"\n\r\n \n", NO_RECORDS),
        (gzip.compress(b"", mtime=0), NO_RECORDS),
        (b"chr1\n>r\nACGT\n", TEXT_FIRST.format("'chr1'")),
        (b"# made by hand\n>r\nACGT\n", TEXT_FIRST.format("'# made by hand'")),
        (b"\x00\x01\xff\n>r\n", TEXT_FIRST.format(r"'\x00\x01\\xff'")),
        (b">\nACGT\n", ": the record on line 1 has no name: write one right after its '>'."),
        (b">a\nAC\n> desc\nACGT\n", ": the record on line 3 has no name: write one right after its '>'."),
        (b">a\nAC\n>", ": the record on line 3 has no name: write one right after its '>'."),
        (
            b">a\nAC\n>b\nAC\nGT\n>a again\nAC\n",
            ": record 'a' (line 6) has the name of the record on line 1: rename or delete one of them.",
        ),
        (b">a\n>b\nAC\n", ": record 'a' (line 1) has no sequence: complete or delete it."),
        (b">a\r\n\r\n \r\n>b\r\nAC\r\n", ": record 'a' (line 1) has no sequence: complete or delete it."),
        (b">a\nAC\n>b", ": record 'b' (line 3) has no sequence: complete or delete it."),
        (
            b">a\xff b\nAC\n",
            r": the record name 'a\\xff' (line 1) is not printable UTF-8 of less than 65536 bytes: rename the record.",
        ),
        (
            b">a\0b\nAC\n",
            r": the record name 'a\x00b' (line 1) is not printable UTF-8 of less than 65536 bytes: rename the record.",
        ),
        (
            b">" + b"A" * 70_000,
            f": the record name '{'A' * 40}' (line 1) is not printable UTF-8 of less than 65536 bytes:"
            " rename the record.",
        ),
        (
            b">a\nACGT\nAC!T\n",
            ": record 'a' holds '!' at position 7 (line 3), which is no IUPAC letter of dna: correct it, or write N.",
        ),
        (
            b">b\rAC\r>a\rACGT\r\rAC'T\r",
            ": record 'a' holds \"'\" at position 7 (line 6), which is no IUPAC letter of dna: correct it, or write N.",
        ),
        (
            b">a\r\nACGT\r\n\r\nAC!T\r\n",
            ": record 'a' holds '!' at position 7 (line 4), which is no IUPAC letter of dna: correct it, or write N.",
        ),
        (
            b">a\nAC-GT\n",
            ": record 'a' holds '-' at position 3 (line 2), so the file looks like an alignment:"
            " remove the gaps, or give the sequences unaligned.",
        ),
        (
            b">a\n..AC\n",
            ": record 'a' holds '.' at position 1 (line 2), so the file looks like an alignment:"
            " remove the gaps, or give the sequences unaligned.",
        ),
        (
            b">a\n1 ACGT\n",
            ": record 'a' holds '1' at position 1 (line 2), a digit: delete numbers from the sequence lines.",
        ),
        (
            b">a\nAC>b\nGT\n",
            ": record 'a' holds '>' at position 3 (line 2),"
            " inside a line: break the line before it if a record begins there.",
        ),
        (
            b">a\n;old\nACGT\n",
            ": record 'a' holds ';' at position 1 (line 2),"
            " perhaps a comment of old Pearson FASTA: delete its comment lines with grep -v '^;'.",
        ),
        (
            b">a\nAC\0GT\n",
            ": record 'a' holds byte 0x00 at position 3 (line 2),"
            " so the file is damaged or not plain text: copy or download it again.",
        ),
        (
            b">a\nAC\n\xc3\xa9\n",
            ": record 'a' holds byte 0xc3 at position 3 (line 3),"
            " so the file is damaged or not plain text: copy or download it again.",
        ),
        (
            b">a\nac\nxx\n",
            ": record 'a' holds 'x' at position 3 (line 3),"
            " an unknown residue or stop of proteins: add --alphabet protein, or write N if this is DNA.",
        ),
        (b"@r\nAC\n+\nII\n", " is not FASTA but begins like FASTQ or SAM: give the FASTA of an assembled genome."),
        (b"LOCUS  X\n", " is not FASTA but begins like GenBank: convert it to FASTA with Bio.SeqIO.convert."),
        (b"; old\n>r\nAC\n", " is not FASTA but begins like a comment of old Pearson FASTA:"
         " delete its comment lines with grep -v '^;'."),
        (gzip.compress(b"BAM\1", mtime=0), " is not FASTA but begins like BAM: give the FASTA of an assembled genome."),
        (b"BZh91AY", " is compressed with bzip2, and only gzip and bgzip are read: decompress it first with bunzip2."),
        (gzip.compress(gzip.compress(b">r\nAC\n", mtime=0), mtime=0),
         " is gzip inside gzip: decompress it once with gunzip."),
        ("\ufeff>r\nACGT\n".encode("utf-16-le"), " is UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8."),
        (">r\nACGT\n".encode("utf-16-be"), " is UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8."),
        (b"\x1f\x8b", TRUNCATED_GZIP),
        (GZIPPED[:5], TRUNCATED_GZIP),
        (GZIPPED[:200], TRUNCATED_GZIP),
        (GZIPPED[:-1], TRUNCATED_GZIP),
        (GZIPPED[:-8], TRUNCATED_GZIP),
        (bgzip(b">r\nACGT\n", 4)[: -len(BGZIP_END)],
         TRUNCATED_BGZIP.format("it lacks the empty block with which BGZF ends")),
        (bgzip(b">r\nACGT\n", 4)[: -len(BGZIP_END) - 3], TRUNCATED_BGZIP.format("it ends within a BGZF block")),
        (
            GZIPPED[:-8] + b"\0" * 8,
            " holds damaged gzip data (Error -3 while decompressing data: incorrect data check);"
            " copy or download it again.",
        ),
        (
            GZIPPED + b">s\nAC\n",
            f" holds other data after its gzip data, at byte {len(GZIPPED)} (beginning with b'>s\\nAC\\n');"
            " copy or download it again, or gunzip it and inspect its end.",
        ),
        (GZIPPED + b"\0\x1f", TRUNCATED_GZIP),
    ],
)  # fmt: skip
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 18])
def test_refused_in_one_sentence(tmp_path, content, sentence, block_bytes):
    assert refusal(write(tmp_path, content), block_bytes=block_bytes) == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b">p\nMK-V\n",
            ": record 'p' holds '-' at position 3 (line 2), so the file looks like an alignment:"
            " remove the gaps, or give the sequences unaligned.",
        ),
        (
            b">p\nMKV1\n",
            ": record 'p' holds '1' at position 4 (line 2), a digit: delete numbers from the sequence lines.",
        ),
        (
            b">p\nMK@V\n",
            ": record 'p' holds '@' at position 3 (line 2),"
            " which is no IUPAC letter of protein: correct it, or write X.",
        ),
        (
            b">p\n" + b"ACGTUNacgtun" * 4 + b"\n>q\nAC\n",  # 50 symbols
            " holds only the letters ACGTUN, so it looks like DNA: add --alphabet dna.",
        ),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 18])
def test_protein_refused_in_one_sentence(tmp_path, content, sentence, block_bytes):
    assert refusal(write(tmp_path, content), PROTEIN, block_bytes=block_bytes) == sentence


@pytest.mark.parametrize("letter", "EFILPQZJOefilpqzjo")
def test_protein_given_as_dna_is_told_so(tmp_path, letter):
    assert refusal(write(tmp_path, f">p\nMG{letter}\n".encode().replace(b"M", b"K"))) == (
        f": record 'p' holds '{letter}' at position 3 (line 2), so the file looks like protein:"
        " add --alphabet protein, or give a DNA file."
    )


def test_header_must_begin_its_line(tmp_path):
    assert refusal(write(tmp_path, b" >r\nACGT\n>s\nAC\n")) == TEXT_FIRST.format("' >r'")


def test_text_after_many_blank_lines_is_refused(tmp_path):
    assert refusal(write(tmp_path, b"\n" * 2000 + b"ACGT\n>r\nAC\n")) == TEXT_FIRST.format("'ACGT'")


def test_position_and_line_are_right_far_into_a_record(tmp_path):
    path = write(tmp_path, b">a\nAC\n>b\n" + b"ACGTACGTAC\n" * 100_000 + b"ACG?\n")
    assert refusal(path) == (
        ": record 'b' holds '?' at position 1000004 (line 100004),"
        " which is no IUPAC letter of dna: correct it, or write N."
    )


def test_blocks_before_a_problem_are_given(tmp_path):
    blocks = read_fasta(write(tmp_path, b">a\nAC\n>b\nA-\n"), DNA)
    assert next(blocks).name == "a"
    with pytest.raises(InputError):
        next(blocks)


def test_every_cut_of_a_compressed_file_is_noticed(tmp_path):
    for compressed in (gzip.compress(b">r\nACGTTGCA\n"), bgzip(b">r\nACGTTGCA\n", 5)):
        for n_bytes in range(2, len(compressed)):
            assert " is cut short " in refusal(write(tmp_path, compressed[:n_bytes]))


def test_missing_file_folder_and_unreadable_file_are_named(tmp_path, monkeypatch):
    assert refusal(tmp_path / "none.fa") == " does not exist: check the path."
    assert refusal(tmp_path) == " is a folder: give the FASTA file in it."

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, b">r\nAC\n")
    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path) == " cannot be read (Permission denied): check its permissions and the disk."


def test_standard_input_is_called_so(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(InputError, match=r"^standard input holds no records: "):
        list(read_fasta("-", DNA))


# --- memory ---------------------------------------------------------------------------------------------------------


def peak_megabytes(path: Path) -> tuple[int, float]:
    tracemalloc.start()
    try:
        n_symbols = sum(block.codes.size for block in read_fasta(path, DNA))
        return n_symbols, tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("opened", [open, gzip.open])
@pytest.mark.parametrize("line", [b"ACGTNacgtnRyUu", b"N", b"Aa", b"A C\tG\rT"])
def test_a_record_on_one_line_needs_the_memory_of_a_few_blocks(tmp_path, opened, line):
    path = tmp_path / "long.fa"
    megabyte = line * ((1 << 20) // len(line))
    n_megabytes = 64
    with opened(path, "wb") as lines:
        lines.write(b">long\n")
        for _ in range(n_megabytes):
            lines.write(megabyte)
    n_symbols, peak = peak_megabytes(path)
    assert n_symbols == n_megabytes * len(megabyte.translate(None, b" \t\r"))
    assert peak < 8


@pytest.mark.slow
def test_a_long_header_needs_the_memory_of_a_few_blocks(tmp_path):
    path = write(tmp_path, b">r " + b"x" * (64 << 20) + b"\nACGT\n")
    n_symbols, peak = peak_megabytes(path)
    assert n_symbols == 4
    assert peak < 8


# --- files that people have -----------------------------------------------------------------------------------------

LOOKS_LIKE_DNA = " holds only the letters ACGTUN, so it looks like DNA: add --alphabet dna."
LOOKS_LIKE_PROTEIN = (
    ": record '{}' holds '{}' at position {} (line 2), so the file looks like protein:"
    " add --alphabet protein, or give a DNA file."
)
STARTS_WITH_X = (
    ": record 'gi|2781234|pdb|1JLY|B' holds 'X' at position 1 (line 2), an unknown residue or stop of proteins:"
    " add --alphabet protein, or write N if this is DNA."
)
DUPLICATE_ALPHA = ": record 'alpha' (line 10) has the name of the record on line 1: rename or delete one of them."
DUPLICATE_RABGSTB = (
    ": record 'RABGSTB' (line 285) has the name of the record on line 268: rename or delete one of them."
)
SAMIPF = "gi|3298468|dbj|BAA31520.1|"
ATP_SYNTHASE = "gi|3318709|pdb|1A91|"

AWKWARD = [  # file, as DNA and as protein: records and symbols, or the sentence with which it is refused
    ("biopython/Fasta/aster.pro", LOOKS_LIKE_PROTEIN.format(SAMIPF, "P", 6), (1, 107)),
    (
        "biopython/Fasta/aster_blast.pro",
        TEXT_FIRST.format("'# Some header'"),
        TEXT_FIRST.format("'# Some header'"),
    ),
    ("biopython/Fasta/aster_no_wrap.pro", LOOKS_LIKE_PROTEIN.format(SAMIPF, "P", 6), (1, 107)),
    (
        "biopython/Fasta/aster_pearson.pro",
        TEXT_FIRST.format("'Some header'"),
        TEXT_FIRST.format("'Some header'"),
    ),
    ("biopython/Fasta/centaurea.nu", (1, 1002), LOOKS_LIKE_DNA),
    ("biopython/Fasta/dups.fasta", DUPLICATE_ALPHA, DUPLICATE_ALPHA),
    ("biopython/Fasta/elderberry.nu", (1, 2050), LOOKS_LIKE_DNA),
    ("biopython/Fasta/f001", LOOKS_LIKE_PROTEIN.format(ATP_SYNTHASE, "E", 2), (1, 79)),
    ("biopython/Fasta/f002", (3, 1517), LOOKS_LIKE_DNA),
    ("biopython/Fasta/f003.fa", LOOKS_LIKE_PROTEIN.format(ATP_SYNTHASE, "E", 2), (2, 112)),
    (
        "biopython/Fasta/fa01",
        LOOKS_LIKE_PROTEIN.format("AK1H_ECOLI/1-378", "P", 2),
        ": record 'AK1H_ECOLI/1-378' holds '-' at position 31 (line 2), so the file looks like an alignment:"
        " remove the gaps, or give the sequences unaligned.",
    ),
    ("biopython/Fasta/flowers.pro.gz", STARTS_WITH_X, (3, 1377)),
    ("biopython/Fasta/lavender.nu", (1, 550), LOOKS_LIKE_DNA),
    ("biopython/Fasta/loveliesbleeding.pro", STARTS_WITH_X, (1, 304)),
    ("biopython/Fasta/lupine.nu", (1, 655), LOOKS_LIKE_DNA),
    ("biopython/Fasta/nucleotide_lib.fa", DUPLICATE_RABGSTB, DUPLICATE_RABGSTB),
    ("biopython/Fasta/phlox.nu", (1, 623), LOOKS_LIKE_DNA),
    ("biopython/Fasta/protein_lib.fa", LOOKS_LIKE_PROTEIN.format("sp|P00193|FER_PEPAS", "I", 4), (12, 2267)),
    (
        "biopython/Fasta/rose.pro",
        LOOKS_LIKE_PROTEIN.format("gi|4959044|gb|AAD34209.1|AF069992_1", "E", 2),
        (1, 600),
    ),
    ("biopython/Fasta/rosemary.pro", LOOKS_LIKE_PROTEIN.format("gi|671626|emb|CAA85685.1|", "P", 3), (1, 473)),
    ("biopython/Fasta/sweetpea.nu", (1, 309), LOOKS_LIKE_DNA),
    ("biopython/Fasta/wisteria.nu", (1, 2551), LOOKS_LIKE_DNA),
    ("gffutils/c_elegans_WS199_dna_shortened.fa", (7, 700), LOOKS_LIKE_DNA),
    ("gffutils/dm6-chr2L.fa", (1, 2450), LOOKS_LIKE_DNA),
    ("pyfaidx/tests/data/chr17.hg19.part.fa", (1, 40000), LOOKS_LIKE_DNA),
    ("pyfaidx/tests/data/gene.bed12.fasta", (1, 1073), LOOKS_LIKE_DNA),
    ("pyfaidx/tests/data/issue_83.fasta", (2, 179), LOOKS_LIKE_DNA),
]
FASTA_ENDINGS = (".fa", ".fasta", ".fna", ".faa", ".nu", ".pro", ".gz")


@pytest.mark.realdata
@needs_real_data
@pytest.mark.parametrize("alphabet", [DNA, PROTEIN], ids=["dna", "protein"])
@pytest.mark.parametrize(("name", "as_dna", "as_protein"), AWKWARD, ids=[row[0] for row in AWKWARD])
def test_awkward_file_is_read_or_refused_as_written_here(name, as_dna, as_protein, alphabet):
    path = REAL_DATA / "awkward" / name
    expected = as_dna if alphabet is DNA else as_protein
    if isinstance(expected, str):
        assert refusal(path, alphabet) == expected
        return
    blocks = list(read_fasta(path, alphabet, block_bytes=100))
    records = texts(blocks, alphabet)
    assert (len(records), sum(map(len, records.values()))) == expected
    assert records == {name: decode(codes, alphabet) for name, codes in read_fasta_slowly(path, alphabet)}


@pytest.mark.realdata
@needs_real_data
def test_every_fasta_file_among_the_awkward_ones_is_in_the_table():
    folder = REAL_DATA / "awkward"
    candidates = {
        path for path in folder.rglob("*") if path.name.endswith(FASTA_ENDINGS) and "gff" not in path.suffixes
    }
    candidates = {path for path in candidates if not path.name.endswith(".gff3.gz")}
    candidates |= {folder / "biopython/Fasta" / name for name in ("f001", "f002", "fa01")}
    assert {str(path.relative_to(folder)) for path in candidates} == {row[0] for row in AWKWARD}


@pytest.mark.realdata
@needs_real_data
def test_reports_of_sequence_searches_are_refused():
    folder = REAL_DATA / "awkward" / "biopython" / "Fasta"
    reports = [*folder.glob("*.m10"), *folder.glob("*.txt"), folder / "README"]
    assert len(reports) == 21
    for path in reports:
        assert refusal(path).startswith(" holds text before the first line that begins with '>' (")


@pytest.mark.realdata
@needs_real_data
@pytest.mark.parametrize(
    ("name", "alphabet"),
    [
        ("dmel_chr2R/dm3_chr2R.fa.gz", DNA),
        ("yeast_atac/genome.fa.gz", DNA),  # bgzip
        ("pombe/genome.fa.gz", DNA),
        ("bismark/NC_010473.fa.gz", DNA),
        ("pombe/proteins.fa.gz", PROTEIN),
    ],
)
def test_whole_genome_or_proteome_equals_the_twin(name, alphabet):
    path = REAL_DATA / name
    blocks: dict[str, list[np.ndarray]] = {}
    for block in read_fasta(path, alphabet):
        blocks.setdefault(block.name, []).append(block.codes)
    n_records = 0
    for record_name, codes in read_fasta_slowly(path, alphabet):
        assert np.array_equal(np.concatenate(blocks[record_name]), codes)
        n_records += 1
    assert n_records == len(blocks)


@pytest.mark.realdata
@needs_real_data
def test_soft_mask_of_a_chromosome_is_its_lower_case():
    path = REAL_DATA / "dmel_chr2R" / "dm3_chr2R.fa.gz"
    _, text = gzip.decompress(path.read_bytes()).split(b"\n", 1)
    lower = np.frombuffer(text.translate(None, b"\n"), dtype=np.uint8) >= ord("a")
    start = 0
    for block in read_fasta(path, DNA):
        flags = np.zeros(block.codes.size + 1, dtype=np.int8)
        np.add.at(flags, block.masked[:, 0], 1)
        np.add.at(flags, block.masked[:, 1], -1)
        assert np.array_equal(np.cumsum(flags)[:-1] == 1, lower[start : start + block.codes.size])
        start += block.codes.size
    assert start == lower.size


def test_a_protein_of_a_stop_sign_alone_is_refused_for_that(tmp_path):
    with pytest.raises(
        InputError, match=r"record 'q' \(line 3\) holds a stop sign \(\*\) and no residue: complete or delete it"
    ):
        list(read_fasta(write(tmp_path, b">p\nMKV*\n>q\n*\n"), PROTEIN))


def test_a_dot_in_a_protein_may_be_a_stop_of_gffread(tmp_path):
    with pytest.raises(
        InputError, match=r"'\.' at position 4 .* a stop as gffread writes it: remove it, or write stops as '\*'"
    ):
        list(read_fasta(write(tmp_path, b">p\nMKV.\n"), PROTEIN))

"""The made example data are what their README says, and what their script makes."""

import gzip
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest
from Bio.Seq import Seq

EXAMPLE = Path(__file__).resolve().parents[1] / "example_data"
README = (EXAMPLE / "README.md").read_text()
TEXT_FILES = ("genes.gff3", "proteins.fa", "peaks.narrowPeak", "variants.vcf", "methylation/truth.tsv")
SAMPLE_HOURS = {"t00h": 0, "t01h": 1, "t04h": 4, "t16h": 16}
SAMPLES = tuple(f"methylation/{sample}.bam" for sample in SAMPLE_HOURS)
BAM_FILES = ("atac.bam", *SAMPLES)


@pytest.fixture(scope="module")
def contigs() -> dict[str, str]:
    """Contig name -> letters, lower case where soft-masked."""
    records = gzip.decompress((EXAMPLE / "genome.fa.gz").read_bytes()).decode().split(">")[1:]
    return {record.split()[0]: "".join(record.split("\n")[1:]) for record in records}


@pytest.fixture(scope="module")
def genes() -> dict[str, dict]:
    """mRNA -> contig, strand, and 0-based half-open intervals by feature type, ascending; phases beside CDS."""
    found = {}
    for line in (EXAMPLE / "genes.gff3").read_text().splitlines():
        if line.startswith("#"):
            continue
        contig, _, kind, start, end, _, strand, phase, attributes = line.split("\t")
        fields = dict(item.split("=") for item in attributes.split(";"))
        if kind == "gene":
            continue
        if kind == "mRNA":
            found[fields["ID"]] = {"contig": contig, "strand": strand, "gene": fields["Parent"], "span": None}
        gene = found[fields["ID"] if kind == "mRNA" else fields["Parent"]]
        gene.setdefault(kind, []).append((int(start) - 1, int(end)))
        if kind == "CDS":
            gene.setdefault("phase", []).append(int(phase))
    return found


def introns(gene: dict) -> list[tuple[int, int]]:
    return [(left[1], right[0]) for left, right in pairwise(gene["exon"])]


def sense(letters: str, strand: str) -> str:
    return letters if strand == "+" else str(Seq(letters).reverse_complement())


def bases_of(intervals: list[tuple[int, int]]) -> Counter:
    return Counter(base for start, end in intervals for base in range(start, end))


@pytest.mark.slow
def test_script_makes_the_committed_files_again(tmp_path):
    subprocess.run([sys.executable, "-B", EXAMPLE / "make_example.py", "-o", tmp_path], check=True, timeout=300)
    for name in TEXT_FILES:
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes(), name
    # the letters, not the packed bytes: compressors differ between builds of htslib
    made, committed = (gzip.decompress((folder / "genome.fa.gz").read_bytes()) for folder in (tmp_path, EXAMPLE))
    assert made == committed
    for name in BAM_FILES:
        with pysam.AlignmentFile(tmp_path / name) as made, pysam.AlignmentFile(EXAMPLE / name) as committed:
            assert str(made.header) == str(committed.header)
            for new, old in zip(made.fetch(until_eof=True), committed.fetch(until_eof=True), strict=True):
                assert new.to_string() == old.to_string()


@pytest.mark.slow
def test_another_seed_makes_another_organism(tmp_path):
    script = "import sys; sys.path.insert(0, sys.argv[1]); import numpy; from made_genome import draw_genome; "
    script += "print(draw_genome(numpy.random.default_rng([8, 0]))[2].letters[1000:1400].upper())"
    other = subprocess.run(
        [sys.executable, "-B", "-c", script, EXAMPLE], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    committed = gzip.decompress((EXAMPLE / "genome.fa.gz").read_bytes()).decode().replace("\n", "").upper()
    assert len(other.stdout.strip()) == 400
    assert other.stdout.strip() not in committed


def test_packed_genome_tells_no_name_and_no_time():
    head = (EXAMPLE / "genome.fa.gz").read_bytes()[:8]
    assert head[3] & 0b11000 == 0  # neither a file name nor a comment
    assert head[4:8] == bytes(4)  # mtime


def test_example_data_stay_small():
    sizes = [path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(sizes) < 5e6
    assert (EXAMPLE / "genome.fa.gz").stat().st_size < 350_000
    assert (EXAMPLE / "atac.bam").stat().st_size < 1.5e6
    assert all((EXAMPLE / name).stat().st_size < 400_000 for name in SAMPLES)


def test_proteins_are_the_translated_cds_on_both_strands(contigs, genes):
    records = (EXAMPLE / "proteins.fa").read_text().split(">")[1:]
    proteins = {record.split()[0]: "".join(record.split("\n")[1:]) for record in records}
    assert list(proteins) == list(genes)
    for name, gene in genes.items():
        coding = "".join(contigs[gene["contig"]][start:end] for start, end in gene["CDS"])
        residues = str(Seq(sense(coding, gene["strand"])).translate(cds=True))  # raises unless ATG ... one stop
        assert residues == proteins[name]
        assert residues.startswith("M")
    assert Counter(gene["strand"] for gene in genes.values()) == {"+": 262, "-": 239}
    assert "501 genes (262 on +, 239 on -)" in README


def test_cds_phase_leads_to_the_next_whole_codon(genes):
    for gene in genes.values():
        parts = list(zip(gene["CDS"], gene["phase"], strict=True))
        read_bp = 0
        for (start, end), phase in parts if gene["strand"] == "+" else parts[::-1]:
            assert (read_bp + phase) % 3 == 0
            read_bp += end - start
        assert read_bp % 3 == 0


def test_introns_are_gt_ag_of_plausible_length_in_all_phases(contigs, genes):
    count, lengths = Counter(), []
    for gene in genes.values():
        for start, end in introns(gene):
            letters = sense(contigs[gene["contig"]][start:end].upper(), gene["strand"])
            assert letters.startswith("GT")
            assert letters.endswith("AG")
            lengths.append(end - start)
            count[gene["contig"], gene["strand"]] += 1
    assert min(lengths) >= 45
    assert max(lengths) <= 180
    assert 60 < np.median(lengths) < 95
    for strand in "+-":
        cells = [count[contig, strand] for contig in contigs]
        assert f"| {strand} strand | {cells[0]} | {cells[1]} | {cells[2]} | {sum(cells)} |" in README
    assert count["chrC", "+"] + count["chrC", "-"] >= 150
    phases = Counter(phase for gene in genes.values() for phase in gene["phase"] if len(gene["CDS"]) > 1)
    assert min(phases[phase] for phase in (0, 1, 2)) > 200


def test_exons_are_cds_and_utr_and_all_lie_in_bounds(contigs, genes):
    previous = ("", 0)
    for gene in genes.values():
        utr = gene.get("five_prime_UTR", []) + gene.get("three_prime_UTR", [])
        assert bases_of(gene["exon"]) == bases_of(gene["CDS"] + utr)
        assert set(bases_of(gene["exon"]).values()) == {1}
        ((start, end),) = gene["mRNA"]
        assert (start, end) == (gene["exon"][0][0], gene["exon"][-1][1])
        assert 0 <= start < end <= len(contigs[gene["contig"]])
        assert previous[0] != gene["contig"] or previous[1] < start  # sorted, and no two genes overlap
        previous = (gene["contig"], end)
        before = [place for place in gene["five_prime_UTR"] if place[0] < gene["CDS"][0][0]]
        assert bool(before) == (gene["strand"] == "+")
    assert any(len(gene["five_prime_UTR"]) > 1 for gene in genes.values())  # some introns lie in a 5' UTR


def test_soft_masking_unknown_letters_and_lengths_are_as_documented(contigs, genes):
    letters = "".join(contigs.values())
    assert f"{len(letters):,} bp" in README
    assert all(f"{name} {len(text):,} bp" in README for name, text in contigs.items())
    assert f"{100 * sum(map(str.islower, letters)) / len(letters):.1f} % in lower case" in README
    runs = sorted(len(run) for text in contigs.values() for run in re.findall("N+", text))
    assert f"{sum(runs)} N (one run of 500 on chrB, six of 3 to 25)" in README
    assert len(runs) == 7
    assert runs[-1] == 500
    assert 3 <= runs[0] <= runs[-2] <= 25
    assert len(re.findall("[^ACGTNacgtn]", letters)) == 12
    assert not re.search("[^ACGTNRYSWKMBDHVacgt]", letters)
    for gene in genes.values():
        start, end = gene["mRNA"][0]
        assert set(contigs[gene["contig"]][start:end]) <= set("ACGT")


@pytest.mark.parametrize("name", BAM_FILES)
def test_bam_is_whole_sorted_and_indexed(name, contigs):
    pysam.quickcheck(str(EXAMPLE / name))  # raises where the end-of-file block is missing
    with pysam.AlignmentFile(EXAMPLE / name) as bam:
        assert bam.header["HD"]["SO"] == "coordinate"
        assert bam.has_index()
        lengths = dict(zip(bam.references, bam.lengths, strict=True))
        assert {contig: lengths[contig] for contig in contigs} == {key: len(text) for key, text in contigs.items()}
        places = [(read.reference_id % 2**32, read.reference_start) for read in bam.fetch(until_eof=True)]
        assert places == sorted(places)
        assert sum(bam.count(contig, read_callback="nofilter") for contig in lengths) + bam.nocoordinate == len(places)


def test_atac_cuts_are_dense_in_the_true_peaks_and_blemishes_are_there(contigs):
    is_open = {contig: np.zeros(len(text), bool) for contig, text in contigs.items()}
    for line in (EXAMPLE / "peaks.narrowPeak").read_text().splitlines():
        columns = line.split("\t")
        assert len(columns) == 10
        is_open[columns[0]][int(columns[1]) : int(columns[2])] = True
    cuts_open, cuts, seen = 0, 0, Counter()
    with pysam.AlignmentFile(EXAMPLE / "atac.bam") as bam:
        for read in bam.fetch(until_eof=True):
            seen.update(
                flag for flag in ("duplicate", "secondary", "qcfail", "unmapped") if getattr(read, f"is_{flag}")
            )
            seen.update(re.sub("[0-9M]", "", read.cigarstring or ""))
            seen["records"] += 1
            seen["chrM"] += read.reference_name == "chrM"
            seen["low"] += not read.is_unmapped and read.mapping_quality < 10
            if read.is_proper_pair and read.reference_name in contigs:
                cut = read.reference_end - 5 if read.is_reverse else read.reference_start + 4
                cuts_open += is_open[read.reference_name][cut]
                cuts += 1
    open_bp, all_bp = (sum(f(mask) for mask in is_open.values()) for f in (np.sum, len))
    assert 8 < (cuts_open / open_bp) / ((cuts - cuts_open) / (all_bp - open_bp)) < 14
    kinds = ("duplicate", "secondary", "qcfail", "unmapped", "S", "I", "D", "chrM", "low")
    assert all(seen[kind] >= 20 for kind in kinds), seen
    assert f"{seen['records']:,} records" in README
    assert "chrM" not in contigs


def test_atac_mates_agree():
    pairs: dict[str, list[pysam.AlignedSegment]] = {}
    with pysam.AlignmentFile(EXAMPLE / "atac.bam") as bam:
        for read in bam.fetch(until_eof=True):
            if read.is_proper_pair and not read.is_secondary:
                pairs.setdefault(read.query_name, []).append(read)
    for left, right in pairs.values():
        if left.is_reverse:
            left, right = right, left  # two reads of a short fragment may start at one base
        assert (left.is_reverse, right.is_reverse) == (False, True)
        assert left.is_read1 != right.is_read1
        assert left.template_length == -right.template_length == right.reference_end - left.reference_start
        assert (left.next_reference_start, right.next_reference_start) == (right.reference_start, left.reference_start)


@pytest.mark.parametrize("sample", SAMPLE_HOURS)
def test_methylation_calls_follow_the_planted_rates(sample, contigs):
    rows = [line.split("\t") for line in (EXAMPLE / "methylation/truth.tsv").read_text().splitlines()[1:]]
    fraction = {
        int(position): float(steady) * (1 - np.exp(-float(rate) * (SAMPLE_HOURS[sample] + 0.5)))
        for _, position, _, rate, steady in rows
    }
    assert all(contigs["chrC"][position : position + 2].upper() == "CG" for position in fraction)
    modified, expected, untagged = [], [], 0
    with pysam.AlignmentFile(EXAMPLE / f"methylation/{sample}.bam") as bam:
        for read in bam.fetch(until_eof=True):
            place = {query: position for query, position in read.get_aligned_pairs() if query is not None}
            untagged += not read.has_tag("MM")
            for (base, strand, code), calls in (read.modified_bases or {}).items():
                assert (base, strand, code) == ("C", int(read.is_reverse), "m")
                for query, level in calls:
                    position = place[query] - strand if place[query] is not None else None
                    if position in fraction:
                        modified.append(level >= 128)
                        expected.append(fraction[position])
    assert untagged == 2
    assert len(modified) > 5 * len(fraction)
    # calls are coin tosses with the planted chances, so their sum is within 4 standard deviations of the chances' sum
    chance = np.array(expected)
    assert abs(sum(modified) - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum())


def test_vcf_reference_alleles_are_the_genome(contigs):
    alleles = []
    with pysam.VariantFile(EXAMPLE / "variants.vcf") as vcf:
        assert {name: vcf.header.contigs[name].length for name in contigs} == {k: len(v) for k, v in contigs.items()}
        for record in vcf:
            assert contigs[record.contig][record.start : record.stop].upper() == record.ref
            assert record.ref not in record.alts
            alleles.append((record.ref, record.alts))
    assert f"{len(alleles)} variants" in README
    assert sum(len(alternates) > 1 and "*" not in alternates for _, alternates in alleles) == 1
    assert sum("*" in alternates for _, alternates in alleles) == 1
    assert sum(len(reference) == len(alternates[0]) > 1 for reference, alternates in alleles) == 8
    assert sum(len(reference) > len(alternates[0]) for reference, alternates in alleles) >= 10
    assert sum(len(reference) < len(alternates[0]) for reference, alternates in alleles) >= 10


def test_donor_and_acceptor_variants_hit_the_splice_sites(genes):
    donors, acceptors = set(), set()
    for gene in genes.values():
        for start, end in introns(gene):
            first, last = {(gene["contig"], start + i) for i in (0, 1)}, {(gene["contig"], end - i) for i in (2, 1)}
            donors |= first if gene["strand"] == "+" else last
            acceptors |= last if gene["strand"] == "+" else first
    with pysam.VariantFile(EXAMPLE / "variants.vcf") as vcf:
        for record in vcf:
            place = (record.contig, record.start)
            if record.info["PLACE"] in ("donor", "acceptor"):
                assert place in (donors if record.info["PLACE"] == "donor" else acceptors)

"""Sessions of IGV."""

import gzip
from xml.etree import ElementTree

import pysam

from genolstm.writers.igv_session import fasta_form, write_igv_session


def test_paths_are_relative_to_the_session(tmp_path):
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "s.xml"
    write_igv_session(path, fasta=tmp_path / 'g"<&.fa', tracks=[tmp_path / "a" / "b.bw", tmp_path / "c" / "d.bed"])
    root = ElementTree.parse(path).getroot()
    assert root.get("genome") == '../g"<&.fa'
    assert [(each.get("path"), each.get("name")) for each in root.iter("Resource")] == [
        ("b.bw", "b.bw"), ("../c/d.bed", "d.bed"),
    ]  # fmt: skip
    assert [each.name for each in path.parent.iterdir()] == ["s.xml"]


def test_session_without_a_genome_has_none(tmp_path):
    write_igv_session(tmp_path / "s.xml", fasta=None, tracks=[tmp_path / "b.bw"])
    assert "genome" not in ElementTree.parse(tmp_path / "s.xml").getroot().keys()  # noqa: SIM118  (an element, no dict)


def test_packing_and_missing_indexes_of_a_fasta_are_told(tmp_path):
    plain, zipped, blocks = (tmp_path / name for name in ("p.fa", "z.fa.gz", "b.fa.gz"))
    plain.write_text(">I\nACGT\n")
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    pysam.tabix_compress(str(plain), str(blocks))
    assert fasta_form(plain) == ("plain", (".fai",))
    assert fasta_form(zipped) == ("gzip", ())
    assert fasta_form(blocks) == ("bgzip", (".fai", ".gzi"))
    pysam.faidx(str(blocks))
    assert fasta_form(blocks) == ("bgzip", ())

"""Mean bits of annotation classes against a base-by-base count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolstm.readers.annotation import Transcript
from genolstm.regions import Part
from genolstm.scoring.classes import _merged, class_bits, class_spans


def spans(*rows):
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def transcript(name, contig, strand, exons, coding=()):
    return Transcript(
        name=name, gene=name, contig=contig, strand=strand, biotype="mRNA", exons=spans(*exons), coding=spans(*coding)
    )


TRANSCRIPTS = [
    transcript("a", "I", "+", [(5, 20), (30, 50)], [(10, 20), (30, 40)]),
    transcript("b", "I", "-", [(45, 70)], [(48, 60)]),
    transcript("c", "II", "-", [(0, 8)]),
]


def plain_classes():
    """(contig, position) -> class, sense strand; as the docstring has it, base by base."""
    told = {}
    for contig, length in (("I", 100), ("II", 30)):
        for base in range(length):
            found = ("intergenic", 0)
            for name in ("CDS", "UTR", "intron", "noncoding exon"):
                strands = set()
                for t in TRANSCRIPTS:
                    parts = {
                        "CDS": t.coding,
                        "UTR": t.exons if len(t.coding) else spans(),
                        "intron": t.introns(),
                        "noncoding exon": spans() if len(t.coding) else t.exons,
                    }
                    if t.contig == contig and any(low <= base < high for low, high in parts[name]):
                        strands.add(t.strand)
                if strands:
                    found = (name, 1 if "+" in strands else -1)
                    break
            told[contig, base] = found
    return told


def test_each_base_counts_once_by_class_and_sense(genome_of, stretches_of, monkeypatch):
    monkeypatch.setattr("genolstm.scoring.along_genome.SLAB", 13)
    monkeypatch.setattr("genolstm.scoring.classes.BLOCK_BP", 7)
    genome = genome_of({"I": "A" * 100, "II": "C" * 30})
    stretches = stretches_of(genome, [("I", 3, 90, Part.TEST), ("II", 0, 30, Part.TEST)])
    tracks = np.random.default_rng(1).random((2, 117)).astype(np.float32)
    tracks[0, 20] = np.nan
    rng = np.random.default_rng(2)
    rows = class_bits(
        lambda strand, first, end: tracks[strand, first:end], stretches, class_spans(TRANSCRIPTS, genome.names), rng
    )
    expected = {}
    scored = [("I", base) for base in range(3, 90)] + [("II", base) for base in range(30)]
    classes = plain_classes()
    for place, base in enumerate(scored):
        name, strand = classes[base]
        for track in (0, 1):
            sense = "both" if not strand else "sense" if (track == 0) == (strand > 0) else "antisense"
            if not np.isnan(tracks[track, place]):
                expected.setdefault((name, sense), []).append(float(tracks[track, place]))
    assert {(row.name, row.sense) for row in rows} == expected.keys()
    for row in rows:
        values = expected[row.name, row.sense]
        assert row.symbols == len(values)
        assert row.bits == pytest.approx(np.mean(values))
        assert row.low <= row.bits <= row.high
    assert any(row.low < row.bits < row.high for row in rows)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=8))
def test_merged_spans_cover_the_same_bases_and_keep_apart(rows):
    drawn = spans(*((start, start + length) for start, length in rows))
    merged = _merged(drawn)
    assert {b for low, high in merged.tolist() for b in range(low, high)} == {
        b for low, high in drawn.tolist() for b in range(low, high)
    }
    assert (merged[1:, 0] > merged[:-1, 1]).all()


def test_stretches_in_one_block_of_the_contigs_grid_are_resampled_as_one(genome_of, stretches_of, monkeypatch):
    """Begun at each stretch, two blocks would be drawn here, and the interval would have a width."""
    genome = genome_of({"I": "A" * 100})
    tracks = np.concatenate([np.zeros((2, 10)), np.ones((2, 10))], axis=1).astype(np.float32)

    def interval_of(block_bp):
        monkeypatch.setattr("genolstm.scoring.classes.BLOCK_BP", block_bp)
        stretches = stretches_of(genome, [("I", 5, 15, Part.TEST), ("I", 25, 35, Part.TEST)])
        (row,) = class_bits(
            lambda strand, first, end: tracks[strand, first:end], stretches, class_spans([], genome.names),
            np.random.default_rng(1),
        )  # fmt: skip
        return row.low, row.bits, row.high

    assert interval_of(50) == (0.5, 0.5, 0.5)
    assert interval_of(20) == (0.0, 0.5, 1.0)

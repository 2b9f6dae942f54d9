"""Candidates of every kind of probe, against loops over the letters of a genome."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.alphabet import DNA, decode
from genolstm.errors import InputError, UsageError
from genolstm.predicting.candidates import AT_END, UNKNOWN_BASE, candidates_of, read_around
from genolstm.readers.bed import read_bed
from genolstm.regions import Part
from genolstm.settings.predict import PredictSettings
from genolstm.states.windows import POOLS

PAIRED = str.maketrans("ACGTN", "TGCAN")


def a_probe(task, target="donor", width=0):
    return SimpleNamespace(
        path=Path("p.h5"), task=task, target=target, pooling=POOLS if width else (), width=width or 1
    )


def found(genome, probe, regions, settings=None, sites=None, reach=10):
    skipped = Counter()
    slabs = list(candidates_of(probe, genome, regions, sites, settings or PredictSettings(), reach, skipped))
    pairs = sorted(
        (int(address), int(strand)) for each in slabs for address, strand in zip(each.address, each.strand, strict=True)
    )
    assert len(pairs) == len(set(pairs))
    return pairs, skipped


def letters(genome, contig):
    start = int(genome.starts[contig])
    return decode(genome.all_codes[start : start + int(genome.lengths[contig])], DNA)


@pytest.mark.parametrize(("target", "pair", "at"), [("donor", "GT", 0), ("acceptor", "AG", 1)])
def test_splice_candidates_are_all_dinucleotides_of_both_strands(tiny_genome, stretches_of, target, pair, at):
    expected, ends = [], 0
    for contig, length in enumerate(tiny_genome.lengths.tolist()):
        text = letters(tiny_genome, contig)
        for strand, read in ((1, text), (-1, text.translate(PAIRED)[::-1])):
            for place in range(length - 1):
                if read[place : place + 2] == pair:
                    position = place + at if strand > 0 else length - 1 - place - at
                    inside = position >= 11 and position + 11 < length
                    ends += not inside
                    if inside:
                        expected.append((int(tiny_genome.starts[contig]) + position, strand))
    pairs, skipped = found(tiny_genome, a_probe("splice", target), stretches_of(tiny_genome))
    assert pairs == sorted(expected)
    assert skipped[AT_END] == ends > 0


def test_a_region_holds_the_candidates_of_the_whole_that_lie_in_it(tiny_genome, stretches_of):
    whole, _ = found(tiny_genome, a_probe("splice"), stretches_of(tiny_genome))
    region = stretches_of(tiny_genome, [("II", 100, 900, Part.TEST)])
    part, skipped = found(tiny_genome, a_probe("splice"), region)
    first = int(tiny_genome.starts[1])
    assert part == [each for each in whole if first + 100 <= each[0] < first + 900]
    assert not skipped[AT_END]
    near = read_around(tiny_genome, region, None, 10, 0)
    assert [near.start.tolist(), near.end.tolist()] == [[89], [912]]


def test_every_base_is_a_candidate_on_both_strands(tiny_genome, stretches_of):
    settings = PredictSettings(every_base=True)
    pairs, skipped = found(tiny_genome, a_probe("sites"), stretches_of(tiny_genome), settings)
    inside = sum(max(0, length - 22) for length in tiny_genome.lengths.tolist())
    assert len(pairs) == 2 * inside
    assert skipped[AT_END] == 2 * (int(tiny_genome.lengths.sum()) - inside)


@pytest.mark.parametrize("step", [0, 7])
def test_windows_are_whole_known_and_on_a_grid(tiny_genome, stretches_of, step):
    settings = PredictSettings(step=step)
    pairs, skipped = found(tiny_genome, a_probe("accessibility", "peaks", 30), stretches_of(tiny_genome), settings)
    expected, unknown, ends = [], 0, 0
    for contig, length in enumerate(tiny_genome.lengths.tolist()):
        text = letters(tiny_genome, contig)
        for start in range(0, length - 29, step or 30):
            inside = start >= 1 and start + 30 < length
            ends += not inside
            unknown += inside and "N" in text[start : start + 30]
            if inside and "N" not in text[start : start + 30]:
                expected.append((int(tiny_genome.starts[contig]) + start, 1))
    assert pairs == expected
    assert (skipped[AT_END], skipped[UNKNOWN_BASE]) == (ends, unknown)


def a_bed(tmp_path, genome, text):
    path = tmp_path / "s.bed"
    path.write_text(text)
    return read_bed(path, genome.length_of)


def test_sites_are_taken_as_they_are(tiny_genome, genome_of, drawn_codes, stretches_of, tmp_path):
    text = "II\t700\t701\ta\t0\t-\nI\t50\t51\tb\t0\t+\nI\t50\t51\tb\t0\t.\nI\t2\t3\tc\t0\t+\n"
    bed = a_bed(tmp_path, tiny_genome, text)
    pairs, skipped = found(tiny_genome, a_probe("splice"), stretches_of(tiny_genome), sites=bed)
    assert pairs == [(50, 1), (int(tiny_genome.starts[1]) + 700, -1)]
    assert (skipped[AT_END], skipped["the same site again"]) == (1, 1)
    near = read_around(tiny_genome, stretches_of(tiny_genome), bed, 10, 4)
    assert near.start.tolist() == [0, 38, 688]
    wide = a_bed(tmp_path, tiny_genome, "I\t100\t130\nI\t200\t230\n")
    known = genome_of({"I": drawn_codes(1, 300)})
    pairs, _ = found(known, a_probe("accessibility", "peaks", 30), stretches_of(known), sites=wide)
    assert pairs == [(100, 1), (200, 1)]


@pytest.mark.parametrize(
    ("probe", "settings", "bed", "kind", "message"),
    [
        (a_probe("sites"), {}, "", UsageError, "could lie at any base: name candidates with --sites, or"),
        (a_probe("sites"), {"step": 5}, "", UsageError, "--step is for a probe of windows, and p.h5 holds none"),
        (a_probe("x", width=30), {"every_base": True}, "", UsageError, "--every-base is for a probe of points"),
        (a_probe("splice"), {}, "I\t5\t8\n", InputError, "--sites holds intervals of 3 to 3 bp, and p.h5 was fitted"),
        (a_probe("x", width=30), {}, "I\t5\t8\n", InputError, "to windows of 30 bp; give intervals of that length"),
    ],
)
def test_what_does_not_fit_the_probe_is_refused(
    tiny_genome, stretches_of, tmp_path, probe, settings, bed, kind, message
):
    sites = a_bed(tmp_path, tiny_genome, bed) if bed else None
    with pytest.raises(kind, match=message):
        found(tiny_genome, probe, stretches_of(tiny_genome), PredictSettings(**settings), sites)


def test_addresses_rise_from_slab_to_slab(tiny_genome, stretches_of):
    slabs = candidates_of(
        a_probe("splice"), tiny_genome, stretches_of(tiny_genome), None, PredictSettings(), 10, Counter()
    )
    ends = [(each.address.min(), each.address.max()) for each in slabs if len(each.address)]
    assert all(one[1] < other[0] for one, other in pairwise(ends))
    assert len(ends) > 1
    assert np.all(np.diff([low for low, _ in ends]) > 0)

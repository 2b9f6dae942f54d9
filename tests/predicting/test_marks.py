"""What a model or a probe has met is known by sequence, under any name; where it cannot be known, that is said."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.predicting.marks import marks_of
from genolstm.regions import Part, Sites
from genolstm.seen import training_sequence
from genolstm.store.prediction import FITTED, MODEL, UNKNOWN, VALIDATED, met

PROBE = SimpleNamespace(path=Path("p.h5"))


def sites_in(genome, parts):
    """One site in each contig and part. parts : (contig, part)."""
    contig, part = np.array(sorted(parts)).T
    nothing = np.arange(len(contig))
    return Sites(
        contigs=genome.names, contig=contig.astype(np.int32), position=nothing.astype(np.int64),
        strand=np.ones(len(contig), np.int8), label=nothing.astype(np.int8), part=part.astype(np.int8), block=nothing,
    )  # fmt: skip


@pytest.fixture
def own(genome_of, drawn_codes):
    return genome_of({name: drawn_codes(seed, 5000) for seed, name in enumerate(("I", "II", "III", "IV"))})


@pytest.fixture
def checkpoint(own, stretches_of):
    split = stretches_of(own, [("I", 0, 5000, Part.TRAIN), ("IV", 0, 5000, Part.TEST)])
    return SimpleNamespace(
        ancestors=(),
        genomes=(),
        genome_sha256=own.sha256,
        split=split,
        training=training_sequence(own, split),
        lengths=own.lengths,
    )


def marked(checkpoint, own, genome, probe_genome=None):
    sites = sites_in(own, [(1, Part.TRAIN), (1, Part.VALID), (2, Part.VALID), (3, Part.TEST)])
    return marks_of(checkpoint, PROBE, [sites], probe_genome or own.sha256, genome, model_name="m.h5")


def test_on_the_probes_own_genome(checkpoint, own):
    marks = marked(checkpoint, own, own)
    assert marks.flags.tolist() == [MODEL, FITTED | VALIDATED, VALIDATED, 0]
    assert marks.notes == ()


def test_contigs_are_known_by_their_sequence_under_other_names(checkpoint, own, genome_of, drawn_codes):
    other = genome_of({"x": drawn_codes(9, 5000), "y": drawn_codes(1, 5000), "z": drawn_codes(0, 5000)})
    marks = marked(checkpoint, own, other)
    assert marks.flags.tolist() == [0, FITTED | VALIDATED, MODEL]
    assert any("another genome than the probe's, which was fitted to 1 of its contigs" in note for note in marks.notes)


def test_what_cannot_be_known_is_marked_so(checkpoint, own, genome_of, drawn_codes):
    other = genome_of({"x": drawn_codes(9, 5000)})
    marks = marked(checkpoint, own, other, probe_genome="elsewhere")
    assert marks.flags.tolist() == [UNKNOWN]
    assert any("whether it was fitted to any of this cannot be known" in note for note in marks.notes)
    old = SimpleNamespace(**{**vars(checkpoint), "training": None})
    assert marked(old, own, other).flags.tolist() == [UNKNOWN]


def test_flags_as_text():
    assert met(0) == "held out"
    assert met(MODEL | FITTED) == "model trained on it, probe fitted on it"
    assert met(MODEL | UNKNOWN) == "not known"

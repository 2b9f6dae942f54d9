"""Which sites a file may name for test: none with a base that the model was trained on."""

from types import SimpleNamespace

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.probes.splits import check_named_parts
from genolstm.regions import Part


@pytest.fixture
def refuse(genome_of, drawn_codes, stretches_of):
    """Function: sites as (contig, start, end, part); of I, 0-1,000 and 2,000-3,000 were trained on, II was not."""
    genome = genome_of({"I": drawn_codes(1, 4000), "II": drawn_codes(2, 4000)})
    rows = [("I", 0, 1000, Part.TRAIN), ("I", 2000, 3000, Part.TRAIN), ("II", 0, 4000, Part.TEST)]
    checkpoint = SimpleNamespace(
        split=stretches_of(genome, rows), genome_sha256=genome.sha256, training=None, ancestors=(), genomes=()
    )

    def refused(*sites):
        contig, start, end, part = (np.array(column) for column in zip(*sites, strict=True))
        check_named_parts(checkpoint, genome, contig, start, end, part, source="s.tsv", model_name="m.h5")

    return refused


@pytest.mark.parametrize("place", [(0, 0, 1), (0, 999, 1000), (0, 990, 1010), (0, 2500, 2501), (0, 1500, 2001)])
def test_a_test_site_with_a_base_that_was_trained_on_is_refused(refuse, place):
    with pytest.raises(
        InputError, match=rf"s\.tsv names 1 site for test that m\.h5 .* at I:{place[1] + 1:,}: no score"
    ):
        refuse((*place, Part.TEST), (1, 5, 9, Part.TEST))


def test_sites_between_and_sites_of_other_parts_are_not(refuse):
    refuse((0, 1000, 1001, Part.TEST), (0, 1500, 2000, Part.TEST), (0, 3000, 3100, Part.TEST), (1, 0, 50, Part.TEST),
           (0, 500, 501, Part.TRAIN), (0, 2500, 2600, Part.VALID))  # fmt: skip

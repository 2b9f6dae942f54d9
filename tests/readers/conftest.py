"""Files of reads, written by pysam."""

from pathlib import Path

import pysam
import pytest
from made_reads import LENGTHS, drawn_reads


@pytest.fixture(scope="session")
def write_reads():
    """Function: path (its ending chooses the format), reads, lengths -> path."""

    def written(path, reads, lengths=LENGTHS, **options):
        header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": name, "LN": length} for name, length in lengths.items()]}
        mode = {".bam": "wb", ".sam": "w", ".cram": "wc"}[Path(path).suffix]
        with pysam.AlignmentFile(str(path), mode, header=header, **options) as file:
            for read in reads:
                file.write(read)
        return path

    return written


@pytest.fixture(scope="session")
def many_reads(write_reads, tmp_path_factory):
    """BAM of 4000 drawn reads."""
    return write_reads(tmp_path_factory.mktemp("reads") / "many.bam", drawn_reads(1, 4000))

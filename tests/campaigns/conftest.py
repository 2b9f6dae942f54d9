"""One set of result files for both campaigns."""

import pytest


@pytest.fixture(scope="session")
def campaign_files(results):
    """Name -> path of every result file, and of what they were made from."""
    from kill_writers import made_vcf

    folder = results["genome"].parent
    return {
        **results, "sites": folder / "sites.bed", "fragments": folder / "fragments.tsv", "fasta": folder / "genome.fa",
        "vcf": made_vcf(folder / "in.vcf"),
    }  # fmt: skip

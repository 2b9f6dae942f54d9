"""Foreign files to arrays; the only importers of pysam and Biopython."""

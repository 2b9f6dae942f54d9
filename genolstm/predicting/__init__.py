"""Fitted probes along whole genomes: in the pass that reads the genome, in memory that does not grow with it."""

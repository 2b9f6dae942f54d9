"""What has a sequence model learned from your genome? Next-nucleotide LSTMs, linear probes, honest controls."""

__version__ = "0.1.0"

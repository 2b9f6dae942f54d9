"""The constrained cell, whose state is a methylation fraction, against read counts."""

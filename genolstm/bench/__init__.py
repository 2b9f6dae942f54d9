"""Speed of one part on this machine, beside its bare baseline: both in turn, in one run, and their ratio."""

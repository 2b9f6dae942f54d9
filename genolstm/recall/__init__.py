"""Recall: what was read before, as copies and counts of it, mixed with a network's next-symbol probabilities."""

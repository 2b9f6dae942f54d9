"""Linear probes on hidden states, each beside its controls."""

"""Hidden states of a model: at sites, pooled over windows, and along sequences of their own."""

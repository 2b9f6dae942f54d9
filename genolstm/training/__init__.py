"""Self-supervised training: the steps, the loop that they run in, and how a run is saved and resumed."""

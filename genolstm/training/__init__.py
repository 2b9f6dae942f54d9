"""Self-supervised training: the steps, the course they follow, and how a run is laid down and taken up again."""

"""A trained model along whole stretches, both strands, in memory that does not grow with their length."""

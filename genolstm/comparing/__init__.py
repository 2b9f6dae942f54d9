"""Results of one kind against each other, paired, on what they share."""

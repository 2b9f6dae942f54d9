"""What the gates did along a genome: factors, sums, tracks, resets, memory, and whether boundaries stand out."""

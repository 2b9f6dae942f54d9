"""What variants change for a trained model: likelihood and state, on both strands."""

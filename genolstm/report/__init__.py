"""One page for any mix of result files: verdicts first, then figures, tables, controls, limits, and what was run."""

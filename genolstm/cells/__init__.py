"""One family of memory cells: a table of rules, one readable recurrence, one fused path."""

"""Explaining a model: what depends on what, and what it would write itself."""

"""The task of each probe: its sites, its labels, and the controls that only it has."""

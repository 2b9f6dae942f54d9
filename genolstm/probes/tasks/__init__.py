"""What each probe asks: its sites, its labels, and the controls that only it has."""

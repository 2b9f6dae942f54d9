"""Arrays to foreign files: bigWig."""

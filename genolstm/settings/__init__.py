"""Every default, once: frozen, complete, validated at birth, and saved in each result file."""

"""Bits per base: of parts beside Markov models, and of every base along whole contigs."""

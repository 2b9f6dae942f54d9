"""Result files as what other programs open: rows, BED intervals, tracks."""

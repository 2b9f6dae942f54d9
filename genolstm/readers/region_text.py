"""Regions of a genome as people write them, in the notation of samtools."""

from collections.abc import Mapping

from genolstm.errors import InputError, UsageError
from genolstm.regions import Region
from genolstm.settings.quantities import parse_size


def parse_region(text: str, lengths: Mapping[str, int]) -> Region:
    """Region as samtools spells it, 1-based with both ends in it: 'I', 'I:1,001-2,000', 'I:1M-2M' or 'I:5000-'.

    lengths : contig name -> symbols; a contig whose own name looks like a region is found first.
    Raises InputError for a contig that is not there, UsageError for what is no region or lies past the contig's end.
    """
    if text in lengths:
        return Region(contig=text, start=0, end=lengths[text])
    contig, colon, span = text.rpartition(":")
    if not colon or contig not in lengths:
        known = ", ".join(list(lengths)[:8]) + (", ..." if len(lengths) > 8 else "")
        raise InputError(f"region '{text}' names no contig of the genome, which has {known}. Correct the name.")
    first, dash, last = span.partition("-")
    start = parse_size(first)
    end = parse_size(last) if last else lengths[contig] if dash else start
    if start == 0 and end > 0:
        raise UsageError(
            f"region '{text}' begins at 0, and bases are counted from 1, both ends in it: what BED calls 0 to {end} is"
            f" {contig}:1-{end} here."
        )
    if not 1 <= start <= end:
        raise UsageError(f"region '{text}' is empty: write it as {contig}:FIRST-LAST, counted from 1, both ends in it.")
    if end > lengths[contig]:
        raise UsageError(f"region '{text}' ends past contig '{contig}' of {lengths[contig]:,} symbols; end it there.")
    return Region(contig=contig, start=start - 1, end=end)

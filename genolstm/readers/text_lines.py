"""Text that comes in chunks of bytes, as numbered lines."""

from collections.abc import Iterable, Iterator

from genolstm.errors import InputError

LONGEST_LINE = (
    1 << 28
)  # bytes without a line end, from which on a file is no text; the longest reads have a tenth of it
UTF8_BOM = b"\xef\xbb\xbf"


def numbered_lines(chunks: Iterable[bytes], source: str, wanted: str) -> Iterator[tuple[int, str]]:
    r"""Number, from 1, and text of each line, without its line end, Unix or Windows.

    Bytes that are not UTF-8 become ``\xe9`` and the like.   wanted : what messages ask for in place of another file.
    Raises InputError where no line ends.
    """
    number, parts, held = 0, [], 0
    for chunk in chunks:
        head, found, rest = chunk.partition(b"\n")
        parts.append(head)
        held += len(head)
        if not found:
            if held > LONGEST_LINE:
                raise InputError(f"{source}, line {number + 1} has no end: this is no text; give {wanted}.")
            continue
        for line in (b"".join(parts) + found + rest).split(b"\n")[:-1]:
            number += 1
            yield number, _text(line, number)
        parts = [rest[rest.rfind(b"\n") + 1 :]]
        held = len(parts[0])
    if last := b"".join(parts):
        yield number + 1, _text(last, number + 1)


def _text(line: bytes, number: int) -> str:
    if number == 1:
        line = line.removeprefix(UTF8_BOM)
    return line.removesuffix(b"\r").decode("utf-8", "backslashreplace")

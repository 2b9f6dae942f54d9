"""Bring the demo's output in README and pages up to date: python docs/refresh.py LOG (of 'genolstm demo -v 2> LOG').

In a fenced block whose lines begin with '$ genolstm', every printed line is replaced by the line of the log most
like it; '...' stands for lines that are left out. What has no line like it is named, and left as it is.
"""

import difflib
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
ALIKE = 0.75  # of the letters: numbers are taken out first


def shape(line: str) -> str:
    """A line without its numbers, by which it is found again; the number of a random-init model stays."""
    return re.sub(r"(?<![_\w])[+-]?\d[\d,.]*", "#", line)


def refreshed(text: str, steps: dict[str, list[str]], where: str) -> str:
    """Text with every printed line of a step of the demo from the log."""
    lines, fenced, printed = [], False, None
    for line in text.split("\n"):
        if line.startswith("```"):
            fenced, printed = not fenced, None
        elif fenced and line.startswith("$ genolstm "):
            printed = steps.get(subcommand(line))
        elif fenced and printed and line.strip() not in ("", "..."):
            like = max(printed, key=lambda each: difflib.SequenceMatcher(None, shape(each), shape(line)).ratio())
            if difflib.SequenceMatcher(None, shape(like), shape(line)).ratio() >= ALIKE:
                line = like
            else:
                print(f"{where}: no line of the log is like '{line}'")
        lines.append(line)
    return "\n".join(lines)


def subcommand(line: str) -> str:
    """Words of a command up to its first argument: 'probe splice'."""
    words = line.removeprefix("$ genolstm ").split()
    return " ".join(words[: 2 if words[0] in ("probe", "methylation") else 1])


def main(log: Path) -> None:
    """Rewrite README.md and every page in place."""
    steps: dict[str, list[str]] = {}
    current: list[str] = []
    for line in log.read_text().split("\n"):
        if line.startswith("$ genolstm "):
            current = steps.setdefault(subcommand(line), [])
        elif line.strip() and not line.startswith("# "):  # the demo's words on the next step
            current.append(line.rstrip())
    for page in (TOP / "README.md", *sorted((TOP / "docs" / "pages").rglob("*.md"))):
        page.write_text(refreshed(page.read_text(), steps, page.relative_to(TOP).as_posix()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""How --help looks: commands in groups with whole sentences, and the field's words for what an option takes."""

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperGroup

from genolstm.cli.spellings import SpellingsCommand
from genolstm.settings.option import LARGEST_SEED

# what typer calls a type, in any of its versions -> what a reader calls it
KINDS = {
    "int": "INT", "int range": "INT", "integer": "INT", "integer range": "INT",
    "float": "NUMBER", "float range": "NUMBER",
    "str": "TEXT", "text": "TEXT", "list[str]": "TEXT",
    "path": "FILE", "list[path]": "FILE",
}  # fmt: skip
PATHS = ((r"\bPREFIX\b", "PREFIX"), (r"^Folder |\bthis folder\b", "FOLDER"))  # what else a path may be
DATA, MODEL, ALONG, PROBES, METHYLATION = "Data", "Model", "Along the genome", "Probes", "Methylation"
OUTPUT, CHECKS = "Output", "Checks and speed"
PANELS = (DATA, MODEL, ALONG, PROBES, METHYLATION, OUTPUT, CHECKS)
Row = tuple[str, str]


class PlainHelpCommand(SpellingsCommand):
    """A command whose help says FILE, INT, NUMBER or TEXT for what an option takes."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401  (a context of typer)
        """Pieces of the usage line, arguments in capitals: 'MODEL GENOME', '[FILES]...'."""
        return [_argument(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (a context, a formatter of typer)
        """Write the arguments, then the options."""
        rows: dict[str, list[Row]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                kind = parameter.param_type_name
                name = _argument(record[0].split(" ")[0]) if kind == "argument" else plain_kinds(*record)
                rows[kind].append((name, record[1].replace(f"0<=x<={LARGEST_SEED}", "x>=0")))
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            _write(formatter, title, rows[kind])


class GroupedHelp(TyperGroup):
    """A group that lists its commands under the panel of each, panels in the order of `PANELS`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (a context, a formatter of typer)
        """Write every command and its first sentence, which is not cut."""
        panels: dict[str, list[Row]] = {title: [] for title in PANELS}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                panel = getattr(command, "rich_help_panel", None)
                title = panel if isinstance(panel, str) else "Commands"
                panels.setdefault(title, []).append((name, first_sentence(command.help or "")))
        width = max((len(name) for rows in panels.values() for name, _ in rows), default=0)
        for title, rows in panels.items():
            _write(formatter, title, [(name.ljust(width), text) for name, text in rows])


def first_sentence(text: str) -> str:
    """Beginning of a docstring up to its first full stop before a space, on one line."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph, maxsplit=1)[0]


def plain_kinds(name: str, meaning: str = "") -> str:
    """Names of an option with what it takes: '--lanes <int range>' to '--lanes INT'.

    meaning : its help; a path is called FOLDER or PREFIX where that says so.
    """
    found = re.fullmatch(r"(.*?)\s+<?([a-z\[\] ]+)>?(\.\.\.)?", name, flags=re.IGNORECASE)
    kind = KINDS.get(found[2].lower()) if found else None
    if kind == "FILE":
        kind = next((word for pattern, word in PATHS if re.search(pattern, meaning)), kind)
    return f"{found[1]} {kind}" if found and kind else name


def _argument(piece: str) -> str:
    """An argument of the usage line: '{genome}' to 'GENOME', '[files]...' to '[FILES]...'."""
    if piece == "[OPTIONS]":
        return piece
    return re.sub(r"\{(\w+)\}|\[?\b[a-z_]+\b\]?", lambda each: (each[1] or each[0]).upper(), piece, count=1)


def _write(formatter: Any, title: str, rows: Iterable[Row]) -> None:  # noqa: ANN401  (a formatter of typer)
    if rows := list(rows):
        with formatter.section(title):
            formatter.write_dl(rows)

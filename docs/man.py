"""Man pages from the program itself: `python docs/man.py FOLDER` writes one for every command, section 1."""

import re
import sys
from pathlib import Path
from typing import Any

import typer.main

import genolstm
from genolstm.cli.app import app
from genolstm.cli.help import first_sentence, plain_kinds

EXAMPLE = "Example: "


def man_pages() -> dict[str, str]:
    """File name -> page in man(7)'s macros, of the program and of every command."""
    program = typer.main.get_command(app)
    return dict(_pages(program, program.make_context("genolstm", ["--help"], resilient_parsing=True), ("genolstm",)))


def _pages(command: Any, context: Any, words: tuple[str, ...]) -> Any:  # noqa: ANN401  (commands of typer)
    yield f"{'-'.join(words)}.1", _page(command, context, words)
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _pages(inner, type(context)(inner, parent=context, info_name=name), (*words, name))


def _page(command: Any, context: Any, words: tuple[str, ...]) -> str:  # noqa: ANN401
    title, text = "-".join(words), command.help or ""
    body, _, example = text.partition(EXAMPLE)
    lines = [
        f'.TH {title.upper()} 1 "" "genolstm {genolstm.__version__}" "genolstm"',
        ".SH NAME", rf"{_safe(title)} \- {_safe(first_sentence(text).rstrip('.'))}",
        ".SH SYNOPSIS", f".B {' '.join(words)}", _safe(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
    ]  # fmt: skip
    for paragraph in filter(None, map(str.strip, body.split("\n\n"))):
        lines += [".PP", _safe(" ".join(paragraph.split()))]
    rows = [(each.param_type_name, record) for each in command.get_params(context)
            if (record := each.get_help_record(context))]  # fmt: skip
    for kind, heading in (("argument", "ARGUMENTS"), ("option", "OPTIONS")):
        chosen = [record for of, record in rows if of == kind]
        lines += [f".SH {heading}"] if chosen else []
        for name, meaning in chosen:
            called = name.split(" ")[0].strip("{}[]").upper() if kind == "argument" else plain_kinds(name, meaning)
            lines += [".TP", f".B {_safe(called)}", _safe(" ".join(meaning.split()))]
    lines += [".SH EXAMPLE", ".EX", _safe(" ".join(example.split())), ".EE"] if example else []
    inner = [each for each, made in getattr(command, "commands", {}).items() if not made.hidden]
    if inner:
        lines.append(".SH SEE ALSO")
        lines.append(", ".join(f"{_safe('-'.join((*words, each)))}(1)" for each in inner))
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    """Text in which nothing is a request or an escape, and hyphens of options can be copied."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped)


def write_pages(folder: Path) -> None:
    """Write every page into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in man_pages().items():
        (folder / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))

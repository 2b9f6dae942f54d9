"""Names that an option also goes by: of older versions, with a warning, and GENOME typed as an option."""

from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand

# command -> old spelling -> the one since: --window is the width of what is probed, --states which states are read
OLD: Mapping[str, Mapping[str, str]] = {
    "probe splice": {"--window": "--control-window"},
    "probe protein": {"--window": "--control-window"},
    "methylation fit": {"--states": "--hidden-states"},
}
GENOME, END = "genome", "--"


class SpellingsCommand(TyperCommand):
    """A command that takes old spellings of its options, and `--genome FILE` for its argument GENOME."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (a typer.Context)
        """Put today's spellings in place of others, then read them."""
        return super().parse_args(ctx, self._with_genome(ctx, renamed(command_words(ctx), args)))

    def _with_genome(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Arguments with what `--genome` names moved to where GENOME stands, where it is an argument."""
        arguments = [each.name for each in self.get_params(ctx) if each.param_type_name == "argument"]
        place = next((place for place, arg in enumerate(args) if arg.split("=")[0] == f"--{GENOME}"), None)
        if place is None or GENOME not in arguments or END in args[:place]:
            return args
        _, _, value = args[place].partition("=")
        if not value and place + 1 == len(args):
            return args  # without a value: the parser says so
        rest = args[:place] + args[place + (1 if value else 2) :]
        at = self._place_of(ctx, rest, arguments.index(GENOME))
        return [*rest[:at], value or args[place + 1], *rest[at:]]

    def _place_of(self, ctx: Any, args: list[str], wanted: int) -> int:  # noqa: ANN401
        """Where among the typed words the argument of a number belongs. wanted : arguments before it."""
        valued = (
            each for each in self.get_params(ctx)
            if each.param_type_name == "option" and not getattr(each, "is_flag", False)
        )  # fmt: skip
        takes = {name for each in valued for name in (*each.opts, *each.secondary_opts)}
        met, at = 0, 0
        while at < len(args) and met < wanted:
            if args[at] in takes:
                at += 1
            elif not args[at].startswith("-") or args[at] == "-":
                met += 1
            at += 1
        return at


def command_words(ctx: Any) -> str:  # noqa: ANN401  (a typer.Context)
    """Words of a command after the program's name, as 'probe splice'."""
    words: list[str] = []
    while ctx.parent is not None:
        words.insert(0, ctx.info_name)
        ctx = ctx.parent
    return " ".join(words)


def renamed(command: str, args: list[str]) -> list[str]:
    """Typed words with old spellings replaced; each is told once."""
    old = OLD.get(command, {})
    found: list[str] = []
    for place, arg in enumerate(args):
        name, equals, value = arg.partition("=")
        if name in old and END not in args[:place]:
            typer.echo(f"genolstm: {name} is now called {old[name]}; the old name still works.", err=True)
            arg = old[name] + equals + value
        found.append(arg)
    return found

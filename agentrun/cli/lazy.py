"""A Typer group whose commands are imported one at a time, when they are used.

Owns the loading of commands, the global options that every command takes (before or after its
name), and the did-you-mean. A command's function is annotated for Typer in its own module, so that
a command line pays for one module instead of seventeen.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command_from_info
from typer.models import CommandInfo

from agentrun.cli import settings
from agentrun.cli.commands import COMMANDS


def _take(name: str) -> Any:
    def callback(_ctx: Any, _param: Any, value: Any) -> Any:
        if value is not None:
            settings.change(**{name: value})
        return value

    return callback


def global_options() -> list[TyperOption]:
    """Return fresh global options; `None` is their default, so that an absent one changes nothing."""
    return [
        TyperOption(
            param_decls=["--checkpoints"],
            type=str,
            metavar="DIR",
            help="Folder of checkpoints (AGENTRUN_CHECKPOINTS, default ./checkpoints).",
            expose_value=False,
            callback=_take("checkpoints"),
        ),
        _flag(["-q", "--quiet"], "quiet", "Print only errors on stderr."),
        _flag(["-v", "--verbose"], "verbose", "Also print what the steps print."),
        _flag(["--no-color"], "no_color", "No colours (NO_COLOR is honoured).", color=False),
    ]


def _flag(names: list[str], field: str, text: str, *, color: bool | None = None) -> TyperOption:
    target, value = ("color", color) if color is not None else (field, True)

    def callback(_ctx: Any, _param: Any, given: Any) -> Any:
        if given:
            settings.change(**{target: value})
        return given

    return TyperOption(
        param_decls=[*names, field],
        is_flag=True,
        default=None,
        help=text,
        expose_value=False,
        callback=callback,
    )


def _write_examples(epilog: str | None, formatter: Any) -> None:
    """Write the examples line by line as they are, to be copied."""
    if epilog:
        with formatter.section("Examples"):
            formatter.write("".join(f"  {line}\n" for line in epilog.strip().splitlines()))


class Command(TyperCommand):
    """A command whose epilog is its examples."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Write the examples."""
        _write_examples(self.epilog, formatter)


@cache
def load(name: str) -> Command:
    """Import a command and return it with the global options added."""
    module_name, _, function = COMMANDS[name].target.partition(":")
    module = import_module(module_name)
    info = CommandInfo(
        name,
        cls=Command,
        callback=getattr(module, function),
        epilog=getattr(module, "EXAMPLES", None),
    )
    command = get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)
    assert isinstance(command, Command)
    taken = {option for param in command.params for option in param.opts}
    command.params += [
        option for option in global_options() if not taken.intersection(option.opts)
    ]
    return command


class Group(TyperGroup):
    """The group of all commands."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Write the examples."""
        _write_examples(self.epilog, formatter)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Typer's signature
        """Return a command, imported now."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a typo gets the nearest names."""
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = get_close_matches(name, COMMANDS, cutoff=0.5)
        known = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(COMMANDS)}"
        raise typer.BadParameter(f"there is no command {name!r}: {known}", ctx=ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the commands in their groups, without importing one."""
        for group, rows in _grouped():
            with formatter.section(group):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete a command's name without importing the commands."""
        from typer.core import CompletionItem

        names = [
            CompletionItem(name, help=entry.help)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + ([] if names else super(TyperGroup, self).shell_complete(ctx, incomplete))


def _grouped() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    groups = dict.fromkeys(entry.group for entry in COMMANDS.values())
    for group in groups:
        yield (
            group,
            [(name, entry.help) for name, entry in COMMANDS.items() if entry.group == group],
        )

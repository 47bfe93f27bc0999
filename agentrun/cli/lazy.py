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

from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command_from_info
from typer.models import CommandInfo

from agentrun.cli import settings
from agentrun.cli.commands import COMMANDS


def _take_folder(_ctx: Any, _param: Any, value: Any) -> Any:
    settings.change(checkpoints=value)
    return value


def global_options() -> list[TyperOption]:
    """Return fresh global options. Their default is None: one that is absent changes nothing."""
    return [
        TyperOption(
            param_decls=["--checkpoints"],
            type=str,
            metavar="DIR",
            help="Folder of checkpoints (AGENTRUN_CHECKPOINTS, default ./checkpoints).",
            expose_value=False,
            callback=_take_folder,
        ),
        _flag(["-q", "--quiet"], {"quiet": True}, "Print only errors on stderr."),
        _flag(["-v", "--verbose"], {"verbose": True}, "Also print what the steps print."),
        _flag(["--no-color"], {"color": False}, "No colours (NO_COLOR is honoured)."),
    ]


def _flag(names: list[str], change: dict[str, Any], text: str) -> TyperOption:
    def callback(_ctx: Any, _param: Any, given: Any) -> Any:
        if given:
            settings.change(**change)
        return given

    return TyperOption(
        param_decls=names,
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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; while completing, an option whose value is being typed does not spoil the rest."""
        if ctx.resilient_parsing and args:
            last = next((param for param in self.params if args[-1] in param.opts), None)
            if isinstance(last, TyperOption) and not last.is_flag:
                args = args[:-1]
        return super().parse_args(ctx, args)

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
    command.params += [option for option in global_options() if not taken.intersection(option.opts)]
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
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, COMMANDS, cutoff=0.5)
            all_of_them = f"one of {', '.join(COMMANDS)}"
            known = f"did you mean {' or '.join(near)}?" if near else all_of_them
            ctx.fail(f"there is no command {name!r}: {known}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the commands in their groups, without importing one."""
        for group, rows in _grouped():
            with formatter.section(group):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete a command's name without importing the commands."""
        from typer._click.shell_completion import CompletionItem  # Typer has no public name for it

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

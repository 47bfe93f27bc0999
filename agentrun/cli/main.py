"""The command line: parse, find the command, run it, return its exit code.

Owns the Typer app and how usage errors read. Refuses to know what a command does. Nothing heavier
than Typer is imported here (tests/cli/test_startup.py keeps watch).
"""

import os
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup

from agentrun import __version__
from agentrun.cli import direct, lazy, settings
from agentrun.report import screen

PROGRAM = "agentrun"
ABOUT = """Run workflows of agents durably: a finished step never runs again, whatever goes wrong.

ID is a task id, a unique prefix of one, or `latest`. Global options may come before or after the
command.
"""
EXAMPLES = """
agentrun init                         # a first workflow
agentrun run workflow.yaml -i limit=3
agentrun resume latest                # after a crash, a failure or an answer
agentrun debug latest                 # why it failed, and what to do
"""

app = typer.Typer(
    cls=lazy.Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    """Answer `--version` behind another option; alone it is answered before Typer is imported."""
    if wanted:
        screen.stdout().line(f"agentrun {__version__}")
        raise typer.Exit


@app.callback(help=ABOUT, epilog=EXAMPLES)
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    del version


def group() -> TyperGroup:
    """Return the whole command line as a Typer group, for tests and the documentation."""
    command = typer.main.get_command(app)
    assert isinstance(command, lazy.Group)
    command.params += lazy.global_options()
    return command


def execute(args: Sequence[str]) -> int:
    """Run a command line and return its exit code. Raises AgentrunError for what a command met."""
    settings.reset()
    command = group()
    if direct.COMPLETE in os.environ:
        command.main(list(args), prog_name=PROGRAM)  # answers the shell and exits
    try:
        with command.make_context(PROGRAM, list(args)) as ctx:
            result = command.invoke(ctx)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        return _usage_error(error, args)
    return result if isinstance(result, int) else 0


def _usage_error(error: typer.TyperException, args: Sequence[str]) -> int:
    """Say what was wrong, then how the command is used."""
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        screen.stdout().line(message)
        return 0
    from agentrun.cli import refusal
    from agentrun.errors import UsageError

    ctx = getattr(error, "ctx", None)
    usage = "" if ctx is None else ctx.get_usage()
    settings.change(json="--json" in args or None)  # it may stand behind the mistake
    return refusal.tell(UsageError(message, usage), args)

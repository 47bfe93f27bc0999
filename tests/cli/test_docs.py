"""docs/commands.md says everything that the command line can do, and nothing it can't."""

import re
from pathlib import Path

import pytest
from typer.core import TyperArgument, TyperOption

from agentrun import __main__
from agentrun.cli import lazy
from agentrun.cli.commands import COMMANDS
from agentrun.cli.main import group
from agentrun.errors import UsageError
from agentrun.report.result import refusal_object

DOCS = Path(__main__.__file__).parents[1] / "docs" / "commands.md"
GLOBAL = {name for option in lazy.global_options() for name in option.opts}


def sections() -> dict[str, str]:
    """Return the text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", DOCS.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def own_options(name: str) -> set[str]:
    params = lazy.load(name).params
    return {opt for p in params if isinstance(p, TyperOption) for opt in p.opts} - GLOBAL


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_its_section(name: str) -> None:
    text = sections()[name]
    missing = {option for option in own_options(name) if not re.search(rf"`{option}[ `]", text)}
    assert not missing


@pytest.mark.parametrize("name", COMMANDS)
def test_no_section_tells_of_an_option_that_is_not_there(name: str) -> None:
    told = set(re.findall(r"^\|[^|]*?`(--?[a-z-]+)", sections()[name], flags=re.MULTILINE))
    assert told <= own_options(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_examples(name: str) -> None:
    command = lazy.load(name)
    assert command.help
    assert command.epilog or "Examples:" in command.help
    for param in command.params:
        assert getattr(param, "help", None), f"{name}: {param.name} has no help"
    assert all(p.opts for p in command.params if isinstance(p, TyperArgument | TyperOption))


def test_the_global_options_are_told() -> None:
    text = sections()["Global options"]
    names = {opt for param in group().params for opt in param.opts}
    assert not {name for name in names if name not in text}


def test_the_keys_of_json_are_told() -> None:
    keys = ", ".join(refusal_object(UsageError(""), ""))
    assert "{" + keys + "}" in sections()["run"]


def test_the_commands_are_listed_at_the_top() -> None:
    head = DOCS.read_text("utf-8").partition("## Global")[0]
    assert all(f"[{name}](#{name})" in head for name in COMMANDS)


def test_the_bug_exit_code_is_told() -> None:
    assert f"| {__main__.BUG} |" in sections()["Exit codes"]

"""The direct reader understands a line as Typer does, or leaves it to Typer."""

from typing import Any

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from typer.core import TyperArgument, TyperOption

from agentrun.cli import direct, lazy
from agentrun.cli.settings import Settings, change, current, reset


@pytest.mark.parametrize("name", direct.SHAPES)
def test_the_tables_are_those_of_typer(name: str) -> None:
    shape = direct.SHAPES[name]
    own: list[str | None] = []
    flags: dict[str, str | None] = {}
    values: dict[str, str | None] = {}
    many: dict[str, str | None] = {}
    numbers: dict[str, str | None] = {}
    common = {opt for option in lazy.global_options() for opt in option.opts}
    for param in lazy.load(name).params:
        if isinstance(param, TyperArgument):
            own.append(param.name)
            continue
        assert isinstance(param, TyperOption)
        kind = (
            flags
            if param.is_flag
            else many
            if param.multiple
            else numbers
            if "int" in str(param.type.name)
            else values
        )
        kind.update({opt: param.name for opt in param.opts if opt not in common})
    assert own == [shape.argument]
    assert (flags, values, many, numbers) == (
        shape.flags,
        shape.values,
        shape.many,
        shape.numbers,
    )


def test_the_global_options_are_those_of_typer() -> None:
    options = lazy.global_options()
    assert {opt for o in options if o.is_flag for opt in o.opts} == set(direct.GLOBAL_FLAGS)
    assert {opt for o in options if not o.is_flag for opt in o.opts} == set(direct.GLOBAL_VALUES)


def by_typer(args: list[str]) -> tuple[str, dict[str, Any], Settings] | None:
    """Return what Typer makes of a line; None when it complains."""
    from agentrun.cli.main import group

    reset()
    try:
        with group().make_context("agentrun", list(args)) as ctx:
            name, command, rest = group().resolve_command(ctx, [*ctx._protected_args, *ctx.args])
            assert command is not None
            with command.make_context(name, rest, parent=ctx) as inner:
                return str(name), dict(inner.params), current()
    except Exception:  # whatever Typer does not take
        return None


words = st.sampled_from(
    ["run", "resume", "list", "x.yaml", "a=1", "3", "0", "-1", "-", "--", "", "é", "--json=1"]
    + ["-qv", "-h", "--bogus", *direct.GLOBAL_FLAGS, *direct.GLOBAL_VALUES]
    + [opt for s in direct.SHAPES.values() for kind in s[1:] for opt in kind]
)


@hypothesis_settings(deadline=None, max_examples=400)
@given(st.lists(words, max_size=7))
def test_what_it_understands_typer_understands_in_the_same_way(args: list[str]) -> None:
    line = direct.parse(args)
    if line is None:
        return
    found = by_typer(args)
    assert found is not None, "Typer would have refused this"
    name, parameters, settings = found
    argument = direct.SHAPES[name].argument
    assert (name, parameters[argument]) == (line.command, line.argument)
    given_here = {
        key: list(value)
        if isinstance(value, tuple)
        else value  # Typer's form of an option given again
        for key, value in parameters.items()
        if value and key != argument
    }
    assert given_here == dict(line.parameters)
    reset()
    change(**line.settings)
    assert current() == settings


@pytest.mark.parametrize(
    "args",
    [
        ["run", "x.yaml"],
        ["-q", "run", "x.yaml", "-i", "a=b=c", "-i", "b=", "--json"],
        ["--checkpoints", "run", "run", "x.yaml"],
        ["run", "--input-file", "-", "x.yaml", "--max-parallel", "4"],
        ["resume", "latest", "--from", "label[3]", "--set", "a=1", "-v"],
    ],
)
def test_plain_lines_are_understood(args: list[str]) -> None:
    assert direct.parse(args) is not None


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["list"],
        ["run"],
        ["run", "a", "b"],
        ["run", "a", "--help"],
        ["run", "a", "--events=-"],
        ["run", "a", "--task-id"],
        ["run", "a", "--task-id", "--json"],
        ["run", "a", "--max-parallel", "many"],
        ["run", "--", "a"],
        ["--json", "run", "a"],
        ["inspect", "run"],
    ],
)
def test_anything_else_is_left_to_typer(args: list[str]) -> None:
    assert direct.parse(args) is None

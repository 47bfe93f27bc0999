"""Reads plain `run` and `resume` command lines without Typer, whose import costs half a short run.

Whatever is not plain (an unknown option, `--option=value`, a missing word, `--help`) is no concern
of this file: `parse` returns None, and Typer reads the line anew and says what is wrong with it. So
there is one place that complains. tests/cli/test_direct.py compares the tables with Typer's.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agentrun.cli import settings


class Shape(NamedTuple):
    """The options of a command: option to parameter. `many` may be given again."""

    argument: str
    flags: Mapping[str, str]
    values: Mapping[str, str]
    many: Mapping[str, str]
    numbers: Mapping[str, str]


SHAPES = {
    "run": Shape(
        "file",
        flags={"--resume": "resume", "--dry-run": "dry_run", "--json": "json"},
        values={
            "--input-file": "input_file",
            "--task-id": "task_id",
            "--events": "events",
            "--stub": "stub",
        },
        many={"-i": "inputs", "--input": "inputs", "--inject": "inject"},
        numbers={"--max-parallel": "max_parallel"},
    ),
    "resume": Shape(
        "task",
        flags={"--plan": "plan", "--json": "json"},
        values={
            "--from": "from_step",
            "--workflow": "workflow",
            "--events": "events",
            "--stub": "stub",
        },
        many={
            "--set": "sets",
            "--retry": "retry",
            "--skip": "skip",
            "--answer": "answers",
            "--inject": "inject",
        },
        numbers={"--max-parallel": "max_parallel"},
    ),
}
GLOBAL_FLAGS: Mapping[str, tuple[str, bool]] = {
    "-q": ("quiet", True),
    "--quiet": ("quiet", True),
    "-v": ("verbose", True),
    "--verbose": ("verbose", True),
    "--no-color": ("color", False),
}
GLOBAL_VALUES = {"--checkpoints": "checkpoints"}
COMPLETE = "_AGENTRUN_COMPLETE"
"""Set by the completion scripts that `--install-completion` writes."""


class Line(NamedTuple):
    """A command line that was understood."""

    command: str
    argument: str
    parameters: Mapping[str, Any]
    settings: Mapping[str, Any]


def execute(args: Sequence[str]) -> int | None:
    """Run a plain command line and return its exit code; None when it is not plain."""
    line = parse(args)
    if line is None or COMPLETE in os.environ:
        return None
    from agentrun.cli import start

    settings.reset()
    settings.change(**line.settings)
    body = start.run if line.command == "run" else start.resume
    return body(line.argument, **line.parameters)


def parse(args: Sequence[str]) -> Line | None:
    """Return what the words mean; None when that is not plain to see."""
    command = next((word for word in args if word in SHAPES), None)
    if command is None:
        return None
    shape = SHAPES[command]
    found: dict[str, Any] = {}
    given: dict[str, Any] = {}
    plain: list[str] = []
    words = iter(args)
    for word in words:
        if word in GLOBAL_FLAGS:
            name, value = GLOBAL_FLAGS[word]
            given[name] = value
        elif not word.startswith("-"):
            plain.append(word)
        elif not plain and word not in GLOBAL_VALUES:
            return None
        elif word in shape.flags:
            found[shape.flags[word]] = True
        elif not _take(word, next(words, None), shape, found, given):
            return None
    if len(plain) != 2 or plain[0] != command or not plain[1]:
        return None
    if "json" in found:
        given["json"] = True
    return Line(command, plain[1], found, given)


def _take(
    option: str, value: str | None, shape: Shape, found: dict[str, Any], given: dict[str, Any]
) -> bool:
    """Take over an option with its value; False when either is not plain."""
    if value is None or (value.startswith("-") and value != "-"):
        return False
    if option in shape.many:
        found.setdefault(shape.many[option], []).append(value)
    elif option in shape.values:
        found[shape.values[option]] = value
    elif option in GLOBAL_VALUES:
        given[GLOBAL_VALUES[option]] = value
    elif option in shape.numbers and value.isascii() and value.isdecimal() and int(value) > 0:
        found[shape.numbers[option]] = int(value)
    else:
        return False
    return True

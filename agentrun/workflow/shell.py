"""Values in shell commands: they reach the shell as data, whatever they hold.

Owns the promise. A value never enters the command's text: it goes into an environment variable, and
where `${{ x }}` stood, the command refers to that variable, spelled for the quoting around it:

    echo ${{ a }} "is ${{ b }}"      echo "${AGENTRUN_VALUE_1}" "is ${AGENTRUN_VALUE_2}"

So a value with quotes, `$(...)`, newlines or globs is just text, and outside of quotes exactly one
word. Places where that can't be kept are refused (`shell_scan.py`, `shell_rules.py`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from agentrun.workflow.expressions import compiled
from agentrun.workflow.template import ExpressionError, Span, ValueTooLarge, spans
from agentrun.workflow.text import text_of

PREFIX = "AGENTRUN_VALUE_"
MAX_STRING_BYTES = 131_072
"""Linux's limit on one string of the environment, its name and the final NUL included."""
MAX_TOTAL_BYTES = 1 << 20
"""Linux gives arguments and environment together a quarter of the stack limit, mostly 2 MiB."""


class _Compiled(Struct, frozen=True):
    """A command cut at its values: literal parts alternate with `(source, spelling)`."""

    problems: tuple[ExpressionError, ...]
    parts: tuple[str | tuple[str, str], ...] = ()


def compile_shell(command: str) -> list[ExpressionError]:
    """Return every value in a command that could not stay data, with a message and a hint."""
    try:
        return list(_compiled(command).problems)
    except ExpressionError as error:
        return [error]


def render_shell(command: str, scope: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the command with references instead of values, and the variables they refer to."""
    if "${{" not in command:
        return command, {}
    ready = _compiled(command)
    if ready.problems:
        raise ready.problems[0]
    env: dict[str, str] = {}
    names: dict[str, str] = {}
    parts = []
    for part in ready.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        source, spelling = part
        if source not in names:
            names[source] = f"{PREFIX}{len(names) + 1}"
            env[names[source]] = _checked(names[source], compiled(source).value(scope), source)
        parts.append(spelling.replace("V", names[source]))
    if sum(map(len, env.values())) > MAX_TOTAL_BYTES:
        largest = max(names, key=lambda each: len(env[names[each]]))
        raise ValueTooLarge(
            "the values of the command are larger than 1 MiB together", largest, _STDIN
        )
    return "".join(parts), env


_STDIN = "large values go in by `stdin: ${{ ... }}`"


def _checked(name: str, value: Any, source: str) -> str:
    text = text_of(value)
    shown = f"`${{{{ {source} }}}}`"
    if "\0" in text:
        raise ValueTooLarge(
            f"{shown} holds a NUL byte, which no command can be given", source, _STDIN
        )
    try:
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise ValueTooLarge(f"{shown} is not text that can be encoded", source, _STDIN) from None
    if size + len(name) + 2 > MAX_STRING_BYTES:
        message = f"{shown} has {size:,} bytes; the system's limit for a command is 128 KiB"
        raise ValueTooLarge(message, source, _STDIN)
    return text


@lru_cache(maxsize=4096)
def _compiled(command: str) -> _Compiled:
    from agentrun.workflow.shell_commands import scanned
    from agentrun.workflow.shell_rules import refusals

    found = spans(command)
    scanner = scanned(command, found)
    refused = [*scanner.refusals, *refusals(scanner.commands, scanner.arithmetic_texts)]
    problems: dict[int, ExpressionError] = {}
    for each in refused:
        problems.setdefault(each.span.start, _problem(command, each.span, each.message, each.hint))
    placed = {place.span.start: place for place in scanner.places}
    for span in found:
        if span.start not in placed and span.start not in problems:
            message = "the quoting around it can't be followed"
            problems[span.start] = _problem(
                command, span, message, "put it in a variable under `env`"
            )
    if problems:
        return _Compiled(tuple(problems[at] for at in sorted(problems)))
    parts: list[str | tuple[str, str]] = []
    at = 0
    for span in found:
        place = placed[span.start]
        dollar = "\\" if place.dollar else ""
        parts.append(command[at : span.start - len(dollar)] + (f"{dollar}$" if dollar else ""))
        if place.spelling != "none":
            parts.append((span.source, '"${V}"' if place.spelling == "quoted" else "${V}"))
        at = span.end
    return _Compiled((), (*parts, command[at:]))


def _problem(command: str, span: Span, message: str, hint: str) -> ExpressionError:
    shown = command[span.start : span.end].split("\n", maxsplit=1)[0]
    return ExpressionError(f"{shown} can't stand here: {message}", shown, hint, span.start)

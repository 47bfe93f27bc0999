"""Values in shell commands: handed over as data, never as program text. (First form.)"""

from collections.abc import Mapping
from typing import Any

from agentrun.workflow.expressions import compiled
from agentrun.workflow.template import ExpressionError, ValueTooLarge, spans
from agentrun.workflow.text import text_of

MAX_VALUE_BYTES = 131_000


def compile_shell(command: str) -> list[ExpressionError]:
    """Return what is wrong with the places of values in a command."""
    spans(command)
    return []


def render_shell(command: str, scope: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the command with references to variables, and these variables."""
    env: dict[str, str] = {}
    parts, at, quoted = [], 0, False
    for number, span in enumerate(spans(command), 1):
        before = command[at : span.start]
        quoted ^= before.count('"') % 2 == 1
        name = f"AGENTRUN_VALUE_{number}"
        value = text_of(compiled(span.source).value(scope))
        if "\0" in value or len(value.encode("utf-8", "surrogateescape")) > MAX_VALUE_BYTES:
            raise ValueTooLarge(f"`{span.source}` is too large", span.source, "use `stdin`")
        env[name] = value
        parts += (before, f"${{{name}}}" if quoted else f'"${{{name}}}"')
        at = span.end
    return "".join([*parts, command[at:]]), env

"""`k=v` on the command line, and inputs from a file or a pipe.

Owns their syntax alone: that a name is declared, and the type of its value, is the workflow's
business.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentrun.errors import UsageError

if TYPE_CHECKING:
    from agentrun.core.model import Json

MAX_INPUT_BYTES = 64 << 20


def parse(option: str, pairs: Sequence[str] | None) -> dict[str, str]:
    """Return the pairs as typed. Raises UsageError for one without `=`, or a name given twice."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(
                f"{option} {pair!r} is not of the form NAME=VALUE", f"e.g. {option} limit=3"
            )
        if found.get(name, value) != value:
            raise UsageError(
                f"{option} gives {name!r} twice: {found[name]!r} and {value!r}", "leave one out"
            )
        found[name] = value
    return found


def read_object(source: str | None) -> dict[str, "Json"]:
    """Return the JSON object in a file, or on standard input for `-`; empty for None."""
    if source is None:
        return {}
    from agentrun.steps.output import BadOutput, parse_json

    where = "standard input" if source == "-" else source
    try:
        value = parse_json(_read(source))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"--input-file: can't read {where}: {reason}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--input-file: {where} is not text in UTF-8", _EXAMPLE) from error
    except BadOutput as error:
        reason = error.message.removeprefix("not JSON: ")
        raise UsageError(f"--input-file: {where} is not JSON: {reason}", _EXAMPLE) from error
    if not isinstance(value, dict):
        kind = {list: "a list", str: "a string", type(None): "null"}.get(type(value), "a value")
        raise UsageError(f"--input-file: {where} holds {kind}, not an object", _EXAMPLE)
    return value


_EXAMPLE = """an object of inputs is needed: {"limit": 3}"""


def _read(source: str) -> str:
    if source == "-":
        data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    else:
        with open(source, "rb") as file:
            data = file.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        raise UsageError(f"--input-file: more than {MAX_INPUT_BYTES >> 20} MiB", "pass a path")
    return data.decode("utf-8-sig")

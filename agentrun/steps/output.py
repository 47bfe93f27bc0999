"""What a step printed or returned, read as its `output:` says.

Owns the four forms and the message that tells an agent (or a person) what did not fit. Refuses to
repair anything.
"""

import json
import math
import re
from functools import lru_cache
from typing import Any, NoReturn

from agentrun.core.model import Json, OutputSpec

MAX_DEPTH = 200
"""Deeper values would break whoever walks them by recursion."""
MAX_COMPLAINTS = 20
COMPLAINT_CHARS = 300

_FENCED = re.compile(
    r"^[ \t]*```[ \t]*(?:json)?[ \t]*\n(.*?)\n?[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE
)


class BadOutput(ValueError):
    """The output does not fit; the message says where and why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse(output: Json, spec: OutputSpec) -> Json:
    """Return the output in the form the step declares. Raises BadOutput.

    A value that is not a string (a function's, a JSON body) is taken as it is by `text` and
    `json`. One newline at the end of a text goes, as of a line printed by `echo`.
    """
    match spec.form:
        case "text":
            return _without_newline(output) if isinstance(output, str) else output
        case "json":
            return _parsed(output)
        case "lines":
            return _lines(output)
        case "schema":
            return _checked(_parsed(output), spec.schema or {})


def parse_json(text: str) -> Json:
    """Parse strict JSON: no NaN, no Infinity, no number that a float can't hold, bounded depth."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise BadOutput(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise BadOutput(_where(error)) from error
    except BadOutput:
        raise
    except ValueError as error:  # an integer of more than 4,300 digits
        raise BadOutput(f"not acceptable as JSON: {error}") from error
    if depth_over(value, MAX_DEPTH):
        raise BadOutput(f"the JSON is nested deeper than {MAX_DEPTH} levels")
    return value


def depth_over(value: Json, limit: int) -> bool:
    """Tell whether containers are nested deeper than `limit`, without recursion."""
    level: list[Json] = [value]
    for _ in range(limit):
        level = [
            inner for outer in level for inner in _inner(outer) if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _inner(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _lines(output: Json) -> Json:
    if isinstance(output, list):
        if all(isinstance(item, str) for item in output):
            return output
        raise BadOutput("expected lines, got a list that holds other things than strings")
    if not isinstance(output, str):
        raise BadOutput(f"expected lines, got {_type_name(output)}")
    text = _without_newline(output)
    return [line.removesuffix("\r") for line in text.split("\n")] if output else []


def _parsed(output: Json) -> Json:
    if not isinstance(output, str):
        return output
    try:
        return parse_json(output)
    except BadOutput:
        blocks = _FENCED.findall(output)
        if len(blocks) != 1:
            raise
        return parse_json(blocks[0])


def _where(error: "json.JSONDecodeError") -> str:
    if not error.doc.strip():
        return "expected JSON, got nothing"
    start = max(0, error.pos - 40)
    piece = error.doc[start : error.pos + 40]
    return f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}, near {piece!r}"


def _refuse_constant(name: str) -> NoReturn:
    raise BadOutput(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadOutput(f"the number {digits[:40]} is too large")
    return number


def _checked(value: Json, schema: Any) -> Json:
    from referencing.exceptions import Unresolvable

    try:
        # by path, so that an agent reads its mistakes in the order of its answer
        found = _validator(json.dumps(schema)).iter_errors(value)
        errors = sorted(found, key=lambda error: str(error.json_path))
    except Unresolvable as error:
        raise BadOutput(f"the schema refers to something that is not in it: {error}") from error
    if not errors:
        return value
    told = [f"{error.json_path}: {_cut(error.message)}" for error in errors[:MAX_COMPLAINTS]]
    if len(errors) > MAX_COMPLAINTS:
        told.append(f"and {len(errors) - MAX_COMPLAINTS} more")
    raise BadOutput("\n".join(told))


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    # imported here: it costs 70 ms, and most steps declare no schema
    import jsonschema
    import referencing

    read = json.loads(schema)
    try:
        jsonschema.Draft202012Validator.check_schema(read)
    except jsonschema.SchemaError as error:
        raise BadOutput(f"the schema itself is wrong: {_cut(error.message)}") from error
    # an empty registry: a `$ref` never fetches anything
    return jsonschema.Draft202012Validator(read, registry=referencing.Registry())


def _cut(text: str) -> str:
    return text if len(text) <= COMPLAINT_CHARS else f"{text[:COMPLAINT_CHARS]}…"


def _type_name(value: Json) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")

"""What a function returned, as the JSON value it stands for.

Owns which Python values have a JSON form: besides JSON's own types tuples, named tuples,
dataclasses, Pydantic models, enums, dates and times (ISO 8601), paths and UUIDs. Refuses to guess
for the rest (sets have no order, bytes no text, NaN no number): the message names the value's path
and type, and what to return instead.
"""

import datetime as dt
import enum
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from agentrun.core.model import Json
from agentrun.steps.output import MAX_DEPTH, BadOutput

_INSTEAD = {
    "set": "a sorted list",
    "frozenset": "a sorted list",
    "bytes": "text (`.decode()`) or the name of a file",
    "bytearray": "text (`.decode()`) or the name of a file",
    "generator": "a list of its items",
    "map": "a list of its items",
    "filter": "a list of its items",
    "zip": "a list of its items",
    "range": "a list of its items",
    "dict_keys": "a list",
    "dict_values": "a list",
    "Decimal": "a float or a string",
    "ndarray": "`.tolist()`",
    "DataFrame": "`.to_dict(orient='records')`",
}


def to_json(value: object) -> Json:
    """Return the JSON value; raises BadOutput with the path of what has none."""
    return _convert(value, "$", 0)


def _convert(value: Any, path: str, depth: int) -> Json:
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str or kind is int:
        return value
    if depth > MAX_DEPTH:
        raise BadOutput(f"{path[:200]}: nested deeper than {MAX_DEPTH} levels, or within itself")
    if isinstance(value, enum.Enum):
        return _convert(value.value, path, depth + 1)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadOutput(f"{path}: {value} is not JSON")
        return float(value)
    if isinstance(value, str | int):
        return str(value) if isinstance(value, str) else int(value)
    if isinstance(value, list | tuple):
        return [_convert(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            _key(key, path): _convert(item, f"{path}.{key}", depth + 1)
            for key, item in value.items()
        }
    return _special(value, path, depth)


def _key(key: Any, path: str) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if not isinstance(key, str):
        raise BadOutput(
            f"{path}: the key {key!r} is of type {type(key).__name__}; JSON has only string keys"
        )
    return str(key)


def _special(value: Any, path: str, depth: int) -> Json:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    name = type(value).__name__
    if isinstance(value, pathlib.PurePath) or name == "UUID":
        return str(value)
    if fields := getattr(type(value), "__dataclass_fields__", None):
        return _convert({field: getattr(value, field) for field in fields}, path, depth + 1)
    dump: Callable[..., Any] | None = getattr(type(value), "model_dump", None)
    if dump is not None:
        return _convert(dump(value, mode="json"), path, depth + 1)
    instead = f"; return {_INSTEAD[name]}" if name in _INSTEAD else ""
    raise BadOutput(f"{path}: a value of type {name} has no JSON form{instead}")

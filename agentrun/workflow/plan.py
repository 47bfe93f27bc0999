"""A checked workflow as JSON and back: what the cache keeps, read without Pydantic or YAML.

The form follows the structs of `core/model.py` and is private to one version of agentrun.
"""

from typing import Any

import msgspec

from agentrun.core.model import Json, Workflow


def to_json(workflow: Workflow) -> dict[str, Json]:
    """Return a workflow as plain JSON data."""
    data: dict[str, Any] = msgspec.to_builtins(workflow)
    return data


def from_json(data: dict[str, Json]) -> Workflow:
    """Return the workflow that `to_json` was given. Raises msgspec.ValidationError."""
    return msgspec.convert(data, Workflow)


def to_bytes(workflow: Workflow) -> bytes:
    """Return a workflow as JSON text."""
    return msgspec.json.encode(workflow)


def from_bytes(data: bytes) -> Workflow:
    """Return the workflow that `to_bytes` was given. Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=Workflow)

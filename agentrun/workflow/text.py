"""How a value is spelled inside text, once for expressions, shell and prompts."""

from typing import Any

MAX_TEXT_BYTES = 64 << 20
"""The largest text an expression may make."""


def text_of(value: Any) -> str:
    """Return a value as text: none is empty, true is `true`, lists and mappings are JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict | list | tuple):
        import json

        return json.dumps(value, ensure_ascii=False)
    return str(value)

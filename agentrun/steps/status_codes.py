"""Which status codes mean success: `200`, `2xx`, `200-204`, or a list of them."""

import re

from agentrun.core.model import Json


def is_expected(status: int, expect: Json) -> bool:
    """Tell whether a status is one of those. Raises ValueError for what is no such thing."""
    if expect is None:
        return 200 <= status < 300
    entries = expect if isinstance(expect, list | tuple) else [expect]
    return any([low <= status <= high for low, high in map(_range, entries)])  # noqa: C419 - check all


def _range(entry: Json) -> tuple[int, int]:
    text = str(entry).strip().lower()
    if found := re.fullmatch(r"([1-5])xx", text):
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    if found := re.fullmatch(r"([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?", text):
        return int(found[1]), int(found[2] or found[1])
    raise ValueError(f"`expect`: {entry!r} is neither a status (200), a class (2xx) nor 200-204")

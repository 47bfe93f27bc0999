"""Addresses of steps: `label`, `label[3]` (an item), `sub/step`, `sub[2]/step[0]`."""

import re
from collections.abc import Iterator

_PART = r"[A-Za-z_][A-Za-z0-9_]*(?:\[\d+\])?"
_ADDRESS = re.compile(rf"{_PART}(?:/{_PART})*")


def is_address(text: str) -> bool:
    """Return whether the text has the form of an address."""
    return _ADDRESS.fullmatch(text) is not None


def item(key: str, index: int) -> str:
    """Return the address of an item of a `for_each`."""
    return f"{key}[{index}]"


def inside(key: str, step_id: str) -> str:
    """Return the address of a step of the sub-workflow that `key` runs ("" is the task itself)."""
    return f"{key}/{step_id}" if key else step_id


def parent_scope(key: str) -> str:
    """Return the address of the step whose sub-workflow holds this one; "" at the top."""
    return key.rpartition("/")[0]


def parent_loop(key: str) -> str | None:
    """Return the address of the `for_each` this is an item of, or None."""
    return key[: key.rindex("[")] if key.endswith("]") else None


def item_index(key: str) -> int | None:
    """Return the index of an item address, or None."""
    return int(key[key.rindex("[") + 1 : -1]) if key.endswith("]") else None


def ancestors(key: str) -> Iterator[str]:
    """Yield what holds this step, nearest first: `a[1]/b[2]` gives `a[1]/b`, `a[1]`, `a`."""
    while key:
        loop = parent_loop(key)
        key = parent_scope(key) if loop is None else loop
        if key:
            yield key


def step_id(key: str) -> str:
    """Return the id of the step in its own workflow: `sub/label[3]` gives `label`."""
    last = key.rpartition("/")[2]
    return last.partition("[")[0]


def under(key: str, ancestor: str) -> bool:
    """Return whether `key` is an item of, or a step inside, `ancestor`."""
    return key.startswith((ancestor + "/", ancestor + "["))

"""The states that `--status` takes."""

from collections.abc import Sequence
from difflib import get_close_matches

from agentrun.errors import UsageError

STATUSES = ("running", "paused", "succeeded", "failed", "cancelled", "interrupted", "damaged")


def checked_statuses(given: Sequence[str] | None) -> frozenset[str]:
    """Return the states that were named, commas allowed. Raises UsageError for an unknown one."""
    names = [name for text in given or () for name in text.split(",") if name]
    for name in names:
        if name not in STATUSES:
            near = get_close_matches(name, STATUSES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(STATUSES)}"
            raise UsageError(f"--status {name!r} is no state of a task", hint)
    return frozenset(names)

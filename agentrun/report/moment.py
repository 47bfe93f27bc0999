"""Moments of a task: an event's number, or a step's name for when it last ended. Pure."""

from collections.abc import Sequence
from difflib import get_close_matches

from agentrun.core import events as ev
from agentrun.errors import UsageError

_ENDS_A_STEP = (
    ev.StepSucceeded,
    ev.StepFailed,
    ev.StepGaveUp,
    ev.StepSkipped,
    ev.StepBlocked,
    ev.StepInterrupted,
    ev.StepParked,
    ev.PersonAsked,
)


def moment(records: Sequence[ev.Recorded], text: str) -> int:
    """Return the seq that `--at` means. Raises UsageError, with near names for a typo."""
    last = records[-1].seq if records else 0
    if text.isdecimal():
        if not 1 <= int(text) <= last:
            raise UsageError(f"there is no event {text}: the task has events 1 to {last}")
        return int(text)
    found = 0
    for recorded in records:
        event = recorded.event
        if isinstance(event, ev.StepEvent) and event.step == text:
            found = recorded.seq if isinstance(event, _ENDS_A_STEP) or not found else found
    if found:
        return found
    raise UsageError(
        f"nothing has happened to a step {text!r} in this task", near_steps(records, text)
    )


def is_moment(records: Sequence[ev.Recorded], text: str) -> bool:
    """Return whether the text names a moment of the task."""
    try:
        moment(records, text)
    except UsageError:
        return False
    return True


def near_steps(records: Sequence[ev.Recorded], text: str) -> str:
    """Return a hint that names steps which may have been meant."""
    keys = dict.fromkeys(
        recorded.event.step for recorded in records if isinstance(recorded.event, ev.StepEvent)
    )
    return near_names(keys, text)


def near_names(keys: dict[str, None], text: str) -> str:
    """Return a hint with the names that are near, else with all of them."""
    if near := get_close_matches(text, keys, n=3, cutoff=0.5):
        return f"did you mean {' or '.join(near)}?"
    plain = [key for key in keys if "[" not in key][:20]
    return f"its steps: {', '.join(plain)}" if plain else "no step has begun"

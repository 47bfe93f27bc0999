"""Malformed input: the data is cleaned of what no reader wants."""

import re

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step
from agentrun.core.state import StepState, TaskState

CLEANED = "input_cleaned"

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\ufffd\ud800-\udfff]")
_TOO_LARGE = ("argument list too long", "bytes, the system allows")


def clean_input(
    step: Step, state: StepState, failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Clean `stdin` and `with`, once. What is too large for an argument does not get smaller."""
    has_input = step.stdin is not None or step.with_ is not None
    done = any(adjustment.kind == CLEANED for adjustment in state.adjustments)
    too_large = any(words in failure.message.lower() for words in _TOO_LARGE)
    if done or too_large or not has_input:
        return None
    reason = "byte-order marks, control characters and broken UTF-8 are taken out of the input"
    return Adjustment(CLEANED, {"clean_input": True}, reason)


def cleaned(value: Json) -> Json:
    """Return the value with every text in it cleaned; all line ends become newlines."""
    match value:
        case str():
            return _UNWANTED.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
        case list():
            return [cleaned(item) for item in value]
        case dict():
            return {cleaned(key): cleaned(item) for key, item in value.items()}
        case _:
            return value

"""Too much for the model: a larger model where one is declared, else less of the input."""

import re

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.adjust.next_model import take_next_model

CUT = "input_cut"
MARGIN = 0.8
"""What a stated limit is taken for: answers need room too, and tokens are not characters."""
SMALLEST_SHARE = 0.01
LEFT_OUT = "\n[... {count:,} characters left out: the input was too long ...]\n"

_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w.]\d)|(?<![\w.])\d{3,8}(?![\w.]\d|\w)")


def take_larger_model(
    step: Step, state: StepState, failure: Failure, task: TaskState
) -> Adjustment | None:
    """Prefer the next model of the list: nothing of the input is lost."""
    return take_next_model(step, state, failure, task)


def cut_input(
    step: Step, state: StepState, failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Cut prompt or `stdin` to what the failure says fits, or to half of what it is."""
    if step.kind != "agent" and step.stdin is None:
        return None
    before = _share_so_far(state)
    share = round(before * _share_that_fits(f"{failure.message}\n{failure.tail}"), 3)
    if share < SMALLEST_SHARE:
        return None
    return Adjustment(CUT, {"input_share": share}, f"the input is cut to {share:.0%} of its length")


def cut(value: Json, share: float) -> Json:
    """Return the text with its middle left out, so that `share` of it remains. Values other than
    texts stay as they are: half a list of numbers is another list.
    """
    if not isinstance(value, str):
        return value
    keep = int(len(value) * share)
    head, tail = keep - keep // 3, keep // 3
    count = len(value) - head - tail
    if count <= len(LEFT_OUT):
        return value
    return value[:head] + LEFT_OUT.format(count=count) + value[len(value) - tail :]


def _share_so_far(state: StepState) -> float:
    shares = [a.change["input_share"] for a in state.adjustments if "input_share" in a.change]
    return float(shares[-1]) if shares else 1.0


def _share_that_fits(text: str) -> float:
    """`prompt is too long: 250000 tokens > 200000 maximum` gives 0.64; no numbers, a half."""
    numbers = sorted({int(found.replace(",", "")) for found in _NUMBER.findall(text)})
    if len(numbers) < 2 or "token" not in text.lower():
        return 0.5
    limit, requested = numbers[-2:]
    return limit / requested * MARGIN

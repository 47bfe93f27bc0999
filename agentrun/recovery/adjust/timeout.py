"""Out of time: the step's own limit is doubled where it was that limit that ended the attempt."""

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure
from agentrun.core.model import Step
from agentrun.core.state import StepState, TaskState

LONGEST = 8
"""No time limit grows beyond this many times the declared one."""
REACHED = 0.95
"""An attempt that used this share of its time limit was ended by it."""
SILENT = "no output for"
"""What the message says of an attempt that was ended by `idle_timeout`."""


def allow_more_time(
    step: Step, state: StepState, failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Double the limit that was hit. A server's own timeout (a 504) is not ours to change."""
    if step.idle_timeout_s is not None and SILENT in failure.message:
        return _doubled("idle_timeout_s", step.idle_timeout_s, state)
    if step.timeout_s is None or not _hit(step.timeout_s, state):
        return None
    return _doubled("timeout_s", step.timeout_s, state)


def _doubled(key: str, declared: float, state: StepState) -> Adjustment | None:
    now = _current(key, declared, state)
    longer = min(now * 2, declared * LONGEST)
    if longer <= now:
        return None
    name = key.removesuffix("_s")
    return Adjustment("timeout_doubled", {key: longer}, f"{name} {longer:g} s instead of {now:g} s")


def _current(key: str, declared: float, state: StepState) -> float:
    changed = [a.change[key] for a in state.adjustments if key in a.change]
    return float(changed[-1]) if changed else declared


def _hit(declared: float, state: StepState) -> bool:
    if state.ended_at is None or state.attempt_started_at is None:
        return False
    took = state.ended_at - state.attempt_started_at
    return took >= _current("timeout_s", declared, state) * REACHED

"""Items that are in each other's way: fewer of them at once."""

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Step
from agentrun.core.state import StepState, TaskState


def lower_concurrency(
    step: Step, state: StepState, failure: Failure, task: TaskState
) -> Adjustment | None:
    """Halve how many items of a `for_each` run at once; one at a time where they collided. A step
    that is no `for_each` has nothing to lower, and a lock is first only waited for.
    """
    if step.for_each is None or (failure.kind is Kind.LOCK and state.charged < 2):
        return None
    now = _current(step, state, task)
    fewer = 1 if failure.kind is Kind.RESOURCE_CONFLICT else now // 2
    if fewer < 1 or fewer >= now:
        return None
    reason = f"{fewer} item{'s' if fewer > 1 else ''} at once instead of {now}: {failure.kind}"
    return Adjustment("concurrency_lowered", {"max_parallel": fewer}, reason)


def _current(step: Step, state: StepState, task: TaskState) -> int:
    changed = [a.change["max_parallel"] for a in state.adjustments if "max_parallel" in a.change]
    return int(changed[-1]) if changed else min(step.max_parallel or 10**9, task.max_parallel)

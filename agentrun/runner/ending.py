"""How a task ends when nothing will happen by itself any more.

A failure that needs a fix comes first (exit 1), then what a person must answer (exit 3), then what
time will cure (exit 75).
"""

from collections.abc import Iterable

from agentrun.core import address, events as ev
from agentrun.core.model import Workflow
from agentrun.core.state import StepState, TaskState


def ending_of(workflow: Workflow, state: TaskState) -> ev.TaskFailed | ev.TaskPaused | None:
    """Return the ending, or None when the task has succeeded."""
    keys = list(state.steps)
    failed = _first_failed(workflow, state)
    if failed is not None:
        key = deepest_failed(state, failed)
        failure = state.step(key).failure
        assert failure is not None
        return ev.TaskFailed(failure, key)
    if state.halted is not None:
        return ev.TaskPaused("budget", 3, state.halted)
    waiting = [key for key in keys if state.steps[key].waiting in {"approval", "person"}]
    if waiting:
        return _for_a_person(waiting, state)
    parked = [key for key in keys if state.steps[key].waiting == "parked"]
    if parked:
        return _for_a_while(parked, state)
    return None


def deepest_failed(state: TaskState, key: str) -> str:
    """Return the item or inner step that made this one fail; itself when it was itself."""
    step = state.step(key)
    below: Iterable[str] = ()
    if step.items is not None:
        below = (address.item(key, index) for index in range(step.count))
    elif step.scope is not None:
        below = (k for k in state.steps if address.parent_scope(k) == key and not k.endswith("]"))
    for child in below:
        if _is_final_failure(state.step(child)):
            return deepest_failed(state, child)
    return key


def _first_failed(workflow: Workflow, state: TaskState) -> str | None:
    ids = (step.id for step in workflow.steps)
    return next((i for i in ids if _is_final_failure(state.step(i))), None)


def _is_final_failure(step: StepState) -> bool:
    return step.gave_up and not step.continued and step.failure is not None


def _for_a_person(keys: list[str], state: TaskState) -> ev.TaskPaused:
    first = state.step(keys[0])
    if first.approval is not None and first.waiting == "approval":
        message = first.approval.message
        return ev.TaskPaused("approval", 3, message, tuple(keys), first.until)
    # a failure sets the count of interruptions back, so what asks without one is an escalation
    reason: ev.PauseReason = "interrupted" if first.interruptions else "escalation"
    return ev.TaskPaused(reason, 3, first.question, tuple(keys))


def _for_a_while(keys: list[str], state: TaskState) -> ev.TaskPaused:
    moments = [until for key in keys if (until := state.step(key).until) is not None]
    message = f"{keys[0]}: {state.step(keys[0]).question}"
    resume_at = min(moments, default=None)
    return ev.TaskPaused("temporary", 75, message, tuple(keys), resume_at)

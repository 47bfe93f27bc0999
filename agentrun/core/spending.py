"""What each step of a task has used, with all that is inside of it: items, steps of sub-workflows.

The state holds what a step used itself. Sums are made when somebody asks, since a task of 10,000
items must not add up a sum with every event.
"""

from agentrun.core.address import ancestors, under
from agentrun.core.outcome import Usage
from agentrun.core.state import TaskState


def spending(state: TaskState) -> dict[str, Usage]:
    """Return what was used, by the address of every step that used something or holds one."""
    found: dict[str, Usage] = {}
    for key, step in state.steps.items():
        if step.usage is None:
            continue
        for each in (key, *ancestors(key)):
            found[each] = found[each].plus(step.usage) if each in found else step.usage
    return found


def used_by(state: TaskState, key: str) -> Usage | None:
    """Return what one step has used; None when it used nothing."""
    total: Usage | None = None
    for other, step in state.steps.items():
        if step.usage is not None and (other == key or under(other, key)):
            total = step.usage if total is None else total.plus(step.usage)
    return total

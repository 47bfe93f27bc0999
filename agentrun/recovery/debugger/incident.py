"""An incident: a failure that retries did not cure, with everything that is known about it.

Gathered from the state and the definition; what the failing program printed is in it as data and is
never anything else.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct, field

from agentrun.core import address
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.debugger.fingerprint import fingerprint
from agentrun.recovery.fallback import way

MAX_PREVIEW = 2000
MAX_UPSTREAM = 50
"""An incident shows the outputs of at most this many steps above, the nearest ones."""


class Incident(Struct, frozen=True):
    """One incident. `step` is the step as its current alternative does it; `upstream` the steps it
    needs, directly or not, nearest first and at most MAX_UPSTREAM, with the beginning of their
    outputs; `repeatable` those of all such steps that may run again; `inputs` the task's;
    `environ` the names of variables that are set (no values); `elsewhere` the plain values that
    other steps declare, `set_elsewhere` the variables that they set, all to the same plain value.
    """

    key: str
    step: Step
    state: StepState
    failure: Failure
    fingerprint: str
    upstream: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Json] = field(default_factory=dict)
    environ: frozenset[str] = frozenset()
    repeatable: frozenset[str] = frozenset()
    near_files: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    set_elsewhere: Mapping[str, str] = field(default_factory=dict)
    log_tail: str = ""
    succeeded_before: int = 0

    @property
    def said(self) -> str:
        """Return everything the failure printed or said."""
        return f"{self.failure.message}\n{self.failure.evidence}\n{self.log_tail}"

    def limit(self, which: str) -> float | None:
        """Return `timeout_s` or `idle_timeout_s` as the last attempt had it."""
        declared: float | None = getattr(self.step, which)
        changed = [each.change[which] for each in self.state.adjustments if which in each.change]
        return float(changed[-1]) if changed and declared is not None else declared

    def tried(self, fix_id: str) -> bool:
        """Return whether this fix was tried for this pattern in this task."""
        return f"{self.fingerprint}:{fix_id}" in self.state.fixes


def gather(
    key: str,
    workflow: Workflow,
    task: TaskState,
    *,
    previews: Mapping[str, str] | None = None,
    inputs: Mapping[str, Json] | None = None,
    environ: frozenset[str] = frozenset(),
    near_files: tuple[str, ...] = (),
    succeeded_before: int = 0,
) -> Incident:
    """Return the incident of a failed step. `workflow` is the one that the step belongs to."""
    state = task.step(key)
    assert state.failure is not None, f"{key} has not failed"
    step = next(each for each in workflow.steps if each.id == address.step_id(key))
    current = way(step, state.alternative)
    known = previews or {}
    return Incident(
        key,
        current,
        state,
        state.failure,
        fingerprint(step.id, step.content_hash, state.failure),
        {each: known.get(each, "")[:MAX_PREVIEW] for each in nearest(workflow, step)},
        inputs or {},
        environ,
        _repeatable(workflow, step, task, address.parent_scope(key)),
        near_files,
        _values_elsewhere(workflow, step),
        _set_elsewhere(workflow, step),
        state.failure.tail,
        succeeded_before,
    )


def nearest(workflow: Workflow, step: Step) -> list[str]:
    """Return the steps above that an incident shows."""
    return list(islice(_ancestors(workflow, step), MAX_UPSTREAM))


def _ancestors(workflow: Workflow, step: Step) -> Iterator[str]:
    """Yield the steps that this one needs, directly or not, nearest first."""
    by_id = {each.id: each for each in workflow.steps}
    found = set(step.needs)
    queue = deque(step.needs)
    while queue:
        need = queue.popleft()
        yield need
        new = [each for each in by_id[need].needs if each not in found]
        found.update(new)
        queue.extend(new)


def _values_elsewhere(workflow: Workflow, step: Step) -> frozenset[str]:
    found = {str(value) for value in workflow.env.values()}
    for other in workflow.steps:
        if other.id != step.id:
            found.update(other.env.values())
            if isinstance(other.with_, Mapping):
                found.update(map(str, other.with_.values()))
    return frozenset(found)


def _set_elsewhere(workflow: Workflow, step: Step) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for other in workflow.steps:
        for name, value in other.env.items() if other.id != step.id else ():
            found.setdefault(name, set()).add(value)
    return {
        name: next(iter(values))
        for name, values in found.items()
        if len(values) == 1 and "${{" not in next(iter(values))
    }


def _repeatable(workflow: Workflow, step: Step, task: TaskState, scope: str) -> frozenset[str]:
    """Return the steps above that may run again, with everything that depends on them."""
    by_id = {each.id: each for each in workflow.steps}
    spared = [each.id for each in workflow.steps if not _may_run_again(each, workflow, task, scope)]
    above: set[str] = set()
    while spared:
        each = spared.pop()
        if each not in above:
            above.add(each)
            spared.extend(by_id[each].needs)
    return frozenset(_ancestors(workflow, step)) - above


def _may_run_again(step: Step, workflow: Workflow, task: TaskState, scope: str) -> bool:
    """Return whether nothing that this step did must happen only once, its items and the steps of
    its sub-workflow included.
    """
    if step.idempotent and not workflow.subworkflows:
        return True
    key = address.inside(scope, step.id)
    holders = [key, *(address.item(key, index) for index in range(task.step(key).count))]
    if not step.idempotent:
        return not any(task.step(holder).attempts for holder in holders)
    for holder in holders:
        opened = task.step(holder).scope
        inside = None if opened is None else workflow.subworkflows.get(opened.path)
        for inner in () if inside is None else inside.steps:
            assert inside is not None
            if not _may_run_again(inner, inside, task, holder):
                return False
    return True

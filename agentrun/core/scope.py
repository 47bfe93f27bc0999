"""The steps of one workflow being run, and who of them waits for whom.

Owns what is derived from `needs`; refuses to know what a step that waits for nothing does next
(schedule.py).
"""

from collections.abc import Mapping

from agentrun.core.model import Step, Workflow
from agentrun.core.state import StepState


class Scope:
    """The steps of one workflow being run: the task's own, or a sub-workflow's."""

    __slots__ = (
        "blocked_by", "dependents", "key", "left", "open_needs", "steps", "waiters", "workflow",
    )  # fmt: skip

    def __init__(self, key: str, workflow: Workflow) -> None:
        self.key = key
        self.workflow = workflow
        self.steps = {step.id: step for step in workflow.steps}
        self.open_needs = {step.id: len(step.needs) for step in workflow.steps}
        self.blocked_by: dict[str, str] = {}
        self.left = len(self.steps)
        self.waiters: dict[str, list[tuple[str, bool]]] = {}
        self.dependents: dict[str, list[str]] = {}
        for step in workflow.steps:
            for need in step.needs:
                self.dependents.setdefault(need, []).append(step.id)

    def wait_through(self, states: Mapping[str, StepState]) -> None:
        """Have steps wait for what is open behind the settled ones that they need.

        So it is when an edited workflow has a new step above one that is reused, or when a step
        that had failed is tried again after one that ran all the same. What fails there blocks
        the step, unless what lies between asks for failures itself.
        """
        hiding = self._hiding(states)
        for step_id, step in self.steps.items():
            if not hiding or states[step_id].settled or hiding.isdisjoint(step.needs):
                continue
            blocking = self._open_behind(step, hiding, states, past_those_who_ask=False)
            found = self._open_behind(step, hiding, states, past_those_who_ask=True)
            for each in found.difference(step.needs):
                self.open_needs[step_id] += 1
                self.waiters.setdefault(each, []).append((step_id, each in blocking))

    def _hiding(self, states: Mapping[str, StepState]) -> set[str]:
        """Return the settled steps that have something open upstream; hardly ever there is one."""
        hiding: set[str] = set()
        todo = [
            step_id
            for step_id, step in self.steps.items()
            for need in step.needs
            if not states[need].settled and states[step_id].settled
        ]
        while todo:
            step_id = todo.pop()
            if step_id not in hiding and states[step_id].settled:
                hiding.add(step_id)
                todo += self.dependents.get(step_id, ())
        return hiding

    def _open_behind(
        self,
        step: Step,
        hiding: set[str],
        states: Mapping[str, StepState],
        *,
        past_those_who_ask: bool,
    ) -> set[str]:
        found: set[str] = set()
        seen: set[str] = set()
        todo = [need for need in step.needs if need in hiding]
        while todo:
            between = self.steps[todo.pop()]
            if between.id in seen or (asks_for_failures(between) and not past_those_who_ask):
                continue
            seen.add(between.id)
            todo += [need for need in between.needs if need in hiding]
            found.update(need for need in between.needs if not states[need].settled)
        return found


def asks_for_failures(step: Step) -> bool:
    """Return whether the step's own `if` wants to be asked although a step it needs failed."""
    return step.if_ is not None and ("always()" in step.if_ or "failed(" in step.if_)

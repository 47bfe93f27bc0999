"""What the rules of the runner share: the loop, the definitions, the names of expressions.

Owns no rule. Everything that a rule records goes through the loop, so that it is durable before
anything follows from it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from agentrun.core import address, events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.schedule import Schedule
from agentrun.core.state import StepState, TaskState
from agentrun.core.value import Value
from agentrun.runner.loop import Clock, Loop
from agentrun.runner.names import Outputs, names
from agentrun.runner.order import Performer
from agentrun.workflow.expressions import references, render

if TYPE_CHECKING:  # most tasks ask neither
    from agentrun.recovery.debugger.memory import FixMemory
    from agentrun.recovery.gate import Gate
    from agentrun.runner.stub import Stub, Stubs

MAX_WAIT_S = 600.0
"""A longer wait parks the task: a process that only waits is better ended, and resumed later."""


class Collaborators(Struct):
    """What the rules need from outside."""

    attempts: Performer
    analyst: Performer
    gate: "Gate"
    knowledge: "FixMemory"
    clock: Clock
    draw: Callable[[], float]
    put: Callable[[Json], Value]
    get: Callable[[Value], Json]
    environ: Mapping[str, str]
    successes: Callable[[str], int] = lambda _content_hash: 0
    slowest: Callable[[str], float | None] = lambda _content_hash: None
    redact: Callable[[Json], Json] = lambda value: value
    stubs: "Stubs | None" = None


class Desk:
    """The task at hand."""

    def __init__(self, loop: Loop, workflow: Workflow, with_: Collaborators) -> None:
        self.loop = loop
        self.workflow = workflow
        self.with_ = with_
        self.state: TaskState = loop.state
        self.schedule: Schedule = loop.schedule
        self.outputs = Outputs(loop.state, with_.get)
        self._warned: set[str] = set()

    def record(self, event: ev.Event) -> None:
        """Record an event in this turn's batch."""
        self.loop.record(event)

    def fail(self, key: str, failure: Failure) -> None:
        """Record that a step failed without an attempt of its own."""
        self.record(ev.StepFailed(key, self.state.step(key).attempts, failure))

    def warn_once(self, message: str, key: str) -> None:
        """Record a warning, the first time that it is given."""
        if message not in self._warned:
            self._warned.add(message)
            self.record(ev.Warned(message, key))

    def redact(self, value: Json) -> Json:
        """Return a value without the secrets of the task, for what leaves it."""
        return self.with_.redact(value)

    def stub(self, key: str) -> "Stub | None":
        """Return what stands in for a step."""
        return None if self.with_.stubs is None else self.with_.stubs.find(key)

    def look_up(self, key: str) -> tuple[Step, StepState]:
        """Return the definition and the state of a step or item."""
        return self.schedule.step(key), self.state.step(key)

    def names(self, key: str, workflow: Workflow | None = None) -> dict[str, Any]:
        """Return what expressions of the step at `key` may use."""
        own = workflow or self.schedule.workflow_of(key)
        return names(key, own, self.state, self.outputs, self.with_.environ)

    def result_of(self, workflow: Workflow, key: str) -> Json:
        """Return a workflow's outputs: what it declares, else the last step's output. `key` is the
        address of any of its steps, "" at the top. Raises ExpressionError.
        """
        if workflow.outputs is not None:
            return render(workflow.outputs, self.names(key, workflow))
        last = address.inside(address.parent_scope(key), workflow.steps[-1].id)
        return self.outputs.of_step(last, self.state.step(last))


def names_in(expression: str) -> set[str]:
    """Return the names that a condition uses, written with or without `${{ }}`."""
    wrapped = expression if "${{" in expression else "${{ " + expression + " }}"
    return {reference.name for reference in references(wrapped)}

"""The rules of beginning: conditions, items, special kinds, limits, and the start of an attempt."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import structs

from agentrun.core import address, events as ev
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Budget, Json, Step
from agentrun.core.schedule import RUNS_NO_ATTEMPT
from agentrun.core.state import StepState
from agentrun.recovery import budget
from agentrun.recovery.fallback import way
from agentrun.runner.desk import MAX_WAIT_S, Desk, names_in
from agentrun.runner.result import found
from agentrun.steps import registry
from agentrun.workflow.expressions import ExpressionError, render, truthy

if TYPE_CHECKING:  # most steps have no component
    from agentrun.recovery.gate import Admitted, NotYet
    from agentrun.runner.stub import Stub

MAX_ITEMS = 1_000_000
MAX_INTERRUPTIONS = 5
LOOK_AGAIN_S = 0.05
NO_BUDGET = Budget()


class Beginning:
    """Begins steps, items and attempts. `admitted` holds the places taken at the gate."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.admitted: dict[str, Admitted] = {}

    def begin(self, key: str) -> None:
        """Begin a step or an item: ask its `if`, resolve its `for_each`, or start it."""
        step = self._desk.schedule.step(key)
        try:
            if not self._wanted(key, step):
                self._desk.record(ev.StepSkipped(key, f"`if` is false: {step.if_}"))
            elif step.for_each is not None and address.parent_loop(key) is None:
                self._expand(key, step)
            elif self._runs_no_attempt(key, step):
                self._begin_special(key, step)
            else:
                self._attempt(key, step, self._desk.state.step(key))
        except ExpressionError as error:
            self._fail(key, error)

    def _fail(self, key: str, error: ExpressionError) -> None:
        self._desk.fail(key, found(Kind.INVALID_CONFIG, str(error), "expression", error.hint))

    def attempt(self, key: str) -> None:
        """Start an attempt, unless a limit, a breaker or a person must be waited for."""
        self._attempt(key, *self._desk.look_up(key))

    def _attempt(self, key: str, step: Step, state: StepState) -> None:
        if self._is_being_ended(key, step, state):
            self._desk.schedule.defer(key, self._desk.with_.clock.now() + LOOK_AGAIN_S)
            return
        if self._runs_no_attempt(key, way(step, state.alternative)):
            try:
                self._begin_special(key, step)
            except ExpressionError as error:
                self._fail(key, error)
            return
        if state.status == "interrupted" and (question := _question(key, step, state)):
            self._desk.record(ev.PersonAsked(key, question, "interrupted"))
            return
        if spent := self._budget_spent():
            self._desk.record(ev.TaskHalted(f"budget: {spent}", key))
            return
        if self._admit(key, step, state):
            number = state.attempts + 1
            self._desk.record(ev.StepStarted(key, number, state.round, state.alternative))
            self._desk.loop.launch(key)

    def _is_being_ended(self, key: str, step: Step, state: StepState) -> bool:
        """Return whether the attempt before, or what it held, still has work to end."""
        is_loop = step.for_each is not None and address.parent_loop(key) is None
        if step.kind == "workflow" or state.alternative or is_loop:
            return bool(self._desk.loop.busy_keys(key))
        return self._desk.loop.busy(key)

    def _budget_spent(self) -> str | None:
        limits = self._desk.workflow.budget
        if limits == NO_BUDGET:
            return None
        return budget.used_up(limits, self._desk.state, self._desk.with_.clock.now())

    def _runs_no_attempt(self, key: str, step: Step) -> bool:
        """Return whether the runner performs it itself; a stub of a whole sub-workflow is one."""
        if step.kind == "workflow" and self._desk.stub(key) is not None:
            return False
        return step.kind in RUNS_NO_ATTEMPT

    def _wanted(self, key: str, step: Step) -> bool:
        """Ask the step's `if`: once for a `for_each`, unless it asks about the item."""
        if step.if_ is None:
            return True
        of_item = bool(names_in(step.if_) & {"item", "index", step.as_})
        if (address.parent_loop(key) is not None) != (step.for_each is not None and of_item):
            return True
        return truthy(step.if_, self._desk.names(key))

    def _expand(self, key: str, step: Step) -> None:
        items = render(step.for_each, self._desk.names(key))
        if not isinstance(items, list):
            text = f"`for_each` needs a list, but {step.for_each!r} is {_kind_of(items)}"
            self._desk.fail(key, found(Kind.INVALID_CONFIG, text, "for_each"))
        elif len(items) > MAX_ITEMS:
            text = f"`for_each` has {len(items)} items; the limit is {MAX_ITEMS}"
            self._desk.fail(key, found(Kind.INVALID_CONFIG, text, "for_each"))
        else:
            self._desk.record(ev.StepExpanded(key, self._desk.with_.put(items), len(items)))

    def _begin_special(self, key: str, step: Step) -> None:
        from agentrun.runner import special

        state, scope = self._desk.state.step(key), self._desk.names(key)
        now = self._desk.with_.clock.now()
        event: ev.Event | Failure
        stub = self._desk.stub(key)
        match step.kind:
            case "wait" if stub is not None:
                event = ev.StepSucceeded(key, 1)
            case "wait":
                event = special.wait_started(key, render(step.spec, scope), now)
            case "approval":
                asked = self._desk.redact(render(step.spec, scope))
                assert isinstance(asked, dict)
                event = special.approval_asked(key, asked, now)
            case _:
                event = self._opened(key, step, state, scope)
        if isinstance(event, Failure):
            self._desk.fail(key, event)
            return
        self._desk.record(event)
        if isinstance(event, ev.ScopeOpened) and not event.fresh:
            self._grant_below(key)
        if isinstance(event, ev.ApprovalAsked) and stub is not None:
            self._desk.record(self._stubbed_answer(event, stub))

    def _stubbed_answer(self, asked: ev.ApprovalAsked, stub: "Stub") -> ev.Event:
        from agentrun.runner.stub import failure_of

        if stub.fault is not None:
            return ev.StepFailed(asked.step, 0, failure_of(stub.fault))
        if str(stub.output) in asked.options:
            return ev.StepAnswered(asked.step, str(stub.output), "a stub")
        text = f"the stub answers {stub.output!r}, but the options are {', '.join(asked.options)}"
        return ev.StepFailed(asked.step, 0, found(Kind.INVALID_CONFIG, text, "stub"))

    def _opened(
        self, key: str, step: Step, state: StepState, scope: Mapping[str, Any]
    ) -> ev.Event | Failure:
        """Open a sub-workflow; a retry keeps what its steps have done, a round forgets it."""
        from agentrun.runner import special

        path = str(step.spec["path"])
        workflow = self._desk.schedule.workflow_of(key).subworkflows[path]
        given = render(step.with_, scope)
        inputs = special.subworkflow_inputs(workflow, given)
        if isinstance(inputs, Failure):
            return inputs
        from agentrun.recovery.adjust.apply import adjusted

        timeout_s = adjusted(step, state.adjustments).step.timeout_s
        until = None if timeout_s is None else self._desk.with_.clock.now() + timeout_s
        fresh = state.scope is None
        return ev.ScopeOpened(key, path, self._desk.with_.put(inputs), fresh=fresh, until=until)

    def _grant_below(self, key: str) -> None:
        """Let the steps of a sub-workflow that failed be tried again with it."""
        steps = self._desk.state.steps
        inside = {k: s for k, s in steps.items() if address.under(k, key)}
        bad = tuple(
            k
            for k, s in inside.items()
            if s.status == "cancelled" or (s.gave_up and not s.continued)
        )
        if bad or any(s.status == "blocked" for s in inside.values()):
            self._desk.record(ev.AttemptsGranted(bad))

    def _admit(self, key: str, step: Step, state: StepState) -> bool:
        stubs = self._desk.with_.stubs
        if stubs is not None and stubs.covers(key, state.attempts + 1):
            return True
        component = component_of(
            way(step, state.alternative), lambda value: render(value, self._desk.names(key))
        )
        if component is None:
            return True
        from agentrun.recovery.gate import NotYet

        answer = self._desk.with_.gate.admit(component, self._desk.with_.clock.now())
        if isinstance(answer, NotYet):
            self._hold_back(key, component, answer)
            return False
        self.admitted[key] = answer
        return True

    def release(self, key: str) -> None:
        """Give back the place of an attempt that is cut off: that says nothing of its component."""
        if admitted := self.admitted.pop(key, None):
            cut_off = found(Kind.CANCELLED, "cut off", "cancelled")
            admitted.release(cut_off, self._desk.with_.clock.now())

    def _hold_back(self, key: str, component: str, answer: "NotYet") -> None:
        now = self._desk.with_.clock.now()
        if answer.park or answer.until - now > MAX_WAIT_S:
            reason = f"{component}: {answer.reason}"
            if answer.cause == "breaker":
                self._go_round(key, reason, answer.until)
            else:  # it works, and others are before us
                self._desk.record(ev.StepParked(key, reason, answer.until))
            return
        self._desk.schedule.defer(key, answer.until)
        if answer.cause == "breaker":
            self._desk.warn_once(f"{component}: {answer.reason}; waiting", key)

    def _go_round(self, key: str, reason: str, until: float) -> None:
        """Don't wait for a broken component for so long: take the step's next way, or have it fail
        where the workflow goes on without it; else park the task.
        """
        from agentrun.runner.holders import one_goes_on

        step, state = self._desk.look_up(key)
        late = found(Kind.OVERLOADED, reason, "gate.closed", "resume later")
        took_effect = state.failure is not None and state.failure.took_effect
        if state.alternative < len(step.fallback) and (step.idempotent or not took_effect):
            self._desk.record(ev.FallbackTaken(key, state.alternative + 1, reason))
        elif step.continue_on_error or one_goes_on(self._desk, key, late):
            wait_s = max(0.0, until - self._desk.with_.clock.now())
            self._desk.fail(key, structs.replace(late, retry_after_s=wait_s, took_effect=False))
        else:
            self._desk.record(ev.StepParked(key, reason, until))


def component_of(step: Step, rendered: Callable[[Json], Json]) -> str | None:
    """Return what the step depends on. The loader has told where the file does; an expression in
    what its kind derives it from is asked now, and one that fails is the attempt's to tell.
    """
    if step.component is not None:
        return step.component
    kind = registry.get(step.kind)
    open_fields = [name for name in kind.component_from if "${{" in str(step.spec.get(name))]
    if not open_fields:
        return None
    try:
        values = {name: rendered(step.spec[name]) for name in open_fields}
    except ExpressionError:
        return None
    return kind.component({**step.spec, **values})


def _question(key: str, step: Step, state: StepState) -> str | None:
    """Return what to ask a person before an interrupted step runs again, if anything."""
    if not step.idempotent:
        return (
            f"{key} was cut off while it ran, and it is not idempotent: has it taken effect? "
            f"`--skip {key}` if it has, `--retry {key}` if it has not"
        )
    if state.interruptions >= MAX_INTERRUPTIONS:
        return (
            f"{key} was cut off {state.interruptions} times in a row; does it kill what runs it? "
            f"`--retry {key}` tries again"
        )
    return None


def _kind_of(value: Json) -> str:
    kinds = {dict: "a mapping", str: "a text", type(None): "null", bool: "a boolean"}
    return kinds.get(type(value), "a number")

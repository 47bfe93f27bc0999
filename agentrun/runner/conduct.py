"""The rules of the runner: how an action becomes events.

Owns what it means to begin, attempt, recover, close and end. Everything that needs an expression,
a random draw, a price or a policy is evaluated here, once, and recorded as data. Refuses to do
anything before the loop has made it durable: it records and asks for launches.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, assert_never

import msgspec
from msgspec import Struct

from agentrun.core import address, decision as dec, events as ev
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.schedule import RUNS_NO_ATTEMPT, Schedule
from agentrun.core.state import StepState, TaskState
from agentrun.core.value import Inline, Items, Value
from agentrun.recovery import budget
from agentrun.recovery.fallback import way
from agentrun.recovery.gate import Admitted, Gate, NotYet
from agentrun.recovery.policy import decide
from agentrun.runner import special
from agentrun.runner.attempt import Attempts, Order
from agentrun.runner.ending import ending_of
from agentrun.runner.loop import Clock, Loop
from agentrun.runner.names import Outputs, attempt_names, names
from agentrun.runner.result import Done, Failed, Result, found
from agentrun.steps import registry
from agentrun.workflow.expressions import ExpressionError, references, render, truthy

MAX_ITEMS = 1_000_000
MAX_INTERRUPTIONS = 5
DEFAULT_MAX_ROUNDS = 10
MAX_WAIT_S = 600.0
"""A wait longer than this parks the task: nobody is helped by a process that sleeps for hours."""


class Collaborators(Struct):
    """What the rules need from outside."""

    attempts: Attempts
    gate: Gate
    clock: Clock
    draw: Callable[[], float]
    put: Callable[[Json], Value]
    get: Callable[[Value], Json]
    environ: Mapping[str, str]
    max_wait_s: float = MAX_WAIT_S


class Rules:
    """Implements the loop's `Conduct` for one task."""

    def __init__(self, loop: Loop, workflow: Workflow, with_: Collaborators) -> None:
        self._loop = loop
        self._workflow = workflow
        self._state: TaskState = loop.state
        self._schedule: Schedule = loop.schedule
        self._with = with_
        self._outputs = Outputs(loop.state, with_.get)
        self._admitted: dict[str, Admitted] = {}
        self._warned: set[str] = set()

    # --- beginning ------------------------------------------------------------------------------

    def begin(self, key: str) -> None:
        """Begin a step or an item: ask its `if`, resolve its `for_each`, or start it."""
        step = self._schedule.step(key)
        try:
            if not self._wanted(key, step):
                self._loop.record(ev.StepSkipped(key, f"`if` is false: {step.if_}"))
            elif step.for_each is not None and address.parent_loop(key) is None:
                self._expand(key, step)
            elif step.kind in RUNS_NO_ATTEMPT:
                self._begin_special(key, step)
            else:
                self.attempt(key)
        except ExpressionError as error:
            self._fail(key, found(Kind.INVALID_CONFIG, str(error), "expression", error.hint))

    def attempt(self, key: str) -> None:
        """Start an attempt, unless a limit, a breaker or a person must be waited for."""
        step, state = self._schedule.step(key), self._state.step(key)
        if step.kind in RUNS_NO_ATTEMPT:
            self._begin_special(key, step)
            return
        if state.status == "interrupted" and (question := _question(key, step, state)):
            self._loop.record(ev.PersonAsked(key, question, "interrupted"))
            return
        spent = budget.used_up(self._workflow.budget, self._state, self._with.clock.now())
        if spent is not None:
            self._halt(spent, "budget", key)
            return
        if self._admit(key, step, state):
            number = state.attempts + 1
            self._loop.record(ev.StepStarted(key, number, state.round, state.alternative))
            self._loop.launch(key)

    def _wanted(self, key: str, step: Step) -> bool:
        """Ask the step's `if`: once for a `for_each`, unless it asks about the item."""
        if step.if_ is None:
            return True
        of_item = bool(_names_of(step.if_) & {"item", "index", step.as_})
        if (address.parent_loop(key) is not None) != (step.for_each is not None and of_item):
            return True
        return truthy(step.if_, self._names(key))

    def _expand(self, key: str, step: Step) -> None:
        items = render(step.for_each, self._names(key))
        if not isinstance(items, list):
            text = f"`for_each` needs a list, but {step.for_each!r} is {_kind_of(items)}"
            self._fail(key, found(Kind.INVALID_CONFIG, text, "for_each"))
        elif len(items) > MAX_ITEMS:
            text = f"`for_each` has {len(items)} items; the limit is {MAX_ITEMS}"
            self._fail(key, found(Kind.INVALID_CONFIG, text, "for_each"))
        else:
            self._loop.record(ev.StepExpanded(key, self._with.put(items), len(items)))

    def _begin_special(self, key: str, step: Step) -> None:
        state, scope = self._state.step(key), self._names(key)
        now = self._with.clock.now()
        event: ev.Event | Failure
        match step.kind:
            case "wait":
                event = special.wait_started(key, render(step.spec, scope), now)
            case "approval":
                event = special.approval_asked(key, render(step.spec, scope), now)
            case _:
                event = self._open(key, step, state, scope)
        if isinstance(event, Failure):
            self._fail(key, event)
        else:
            self._loop.record(event)

    def _open(
        self, key: str, step: Step, state: StepState, scope: Mapping[str, Any]
    ) -> ev.Event | Failure:
        """Open a sub-workflow; a retry keeps what its steps have done, a round forgets it."""
        again = state.scope is not None and state.failure is not None
        if again:
            inside = [k for k, s in self._state.steps.items() if address.under(k, key)]
            bad = tuple(k for k in inside if self._state.step(k).gave_up)
            self._loop.record(ev.AttemptsGranted(bad))
        path = str(step.spec["path"])
        workflow = self._schedule.workflow_of(key).subworkflows[path]
        given = render(step.with_, scope)
        inputs = special.subworkflow_inputs(workflow, given)
        if isinstance(inputs, Failure):
            return inputs
        return ev.ScopeOpened(key, path, self._with.put(inputs), fresh=not again)

    def _admit(self, key: str, step: Step, state: StepState) -> bool:
        component = component_of(way(step, state.alternative))
        if component is None:
            return True
        answer = self._with.gate.admit(component, self._with.clock.now())
        if isinstance(answer, NotYet):
            self._hold_back(key, component, answer)
            return False
        self._admitted[key] = answer
        return True

    def _hold_back(self, key: str, component: str, answer: NotYet) -> None:
        now = self._with.clock.now()
        if answer.park or answer.until - now > self._with.max_wait_s:
            reason = f"{component}: {answer.reason}"
            self._loop.record(ev.StepParked(key, reason, answer.until))
            return
        self._schedule.defer(key, answer.until)
        if answer.cause == "breaker":
            self._warn_once(f"{component}: {answer.reason}; waiting", key)

    # --- performing -----------------------------------------------------------------------------

    async def order(self, key: str) -> Result:
        """Perform the attempt that the state says is running."""
        step, state = self._schedule.step(key), self._state.step(key)
        idempotency_key = idempotency_key_of(self._state.task_id, key, state)
        order = Order(
            key=key,
            number=state.attempts,
            step=step,
            state=msgspec.structs.replace(state),
            workflow=self._schedule.workflow_of(key),
            names={
                **self._names(key),
                **attempt_names(key, state, state.attempts, idempotency_key),
            },
            idempotency_key=idempotency_key,
            messages=self._outputs.get(state.messages),
            session=self._session(key, step, state),
        )
        return await self._with.attempts.perform(order)

    def finished(self, key: str, attempt: int, result: Result) -> None:
        """Record how an attempt ended, and what `until` makes of it."""
        step, state = self._schedule.step(key), self._state.step(key)
        if state.status != "running" or state.attempts != attempt:
            return
        failure = result.failure if isinstance(result, Failed) else None
        self._release(key, failure)
        if state.fix is not None:
            fix = state.fix
            self._loop.record(ev.FixJudged(key, fix.fingerprint, fix.fix, failure is None))
        if step.until is not None and self._next_round(key, step, state, result):
            return
        if isinstance(result, Failed):
            self._record_failure(key, attempt, result)
        else:
            self._record_success(key, attempt, result)

    def _record_success(self, key: str, attempt: int, result: Done) -> None:
        extra = None if result.extra is None else self._with.put(dict(result.extra))
        self._loop.record(
            ev.StepSucceeded(
                key,
                attempt,
                self._with.put(result.output),
                result.duration_s,
                result.exit_code,
                result.usage,
                result.session,
                extra,
                result.repairs,
            )
        )

    def _record_failure(self, key: str, attempt: int, result: Failed) -> None:
        event = ev.StepFailed(
            key, attempt, result.failure, result.duration_s, result.usage, result.session
        )
        self._loop.record(event)

    def _next_round(self, key: str, step: Step, state: StepState, result: Result) -> bool:
        """Ask `until`; True when that settled what the attempt means."""
        assert step.until is not None
        exit_code = _exit_code(result)
        if isinstance(result, Failed) and (
            exit_code is None or "exit_code" not in _names_of(step.until)
        ):
            return False
        scope = {**self._names(key), "output": result.output, "exit_code": exit_code}
        try:
            holds = truthy(step.until, scope)
        except ExpressionError as error:
            bad = found(Kind.INVALID_CONFIG, str(error), "until", error.hint)
            self._record_failure(key, state.attempts, Failed(bad, result.duration_s, result.usage))
            return True
        if holds:
            done = result if isinstance(result, Done) else Done(result.output, exit_code)
            self._record_success(key, state.attempts, done)
            return True
        if state.round >= (step.max_rounds or DEFAULT_MAX_ROUNDS):
            text = f"`until` did not hold after {state.round} rounds: {step.until}"
            hint = "raise `max_rounds`, or look at what the last round brought"
            bad = found(Kind.LOGIC, text, "until.max_rounds", hint)
            self._record_failure(key, state.attempts, Failed(bad, result.duration_s, result.usage))
            return True
        self._loop.record(
            ev.RoundFinished(
                key,
                state.round,
                self._with.put(result.output),
                state.attempts,
                exit_code,
                result.usage,
                result.session,
                result.duration_s,
            )
        )
        return True

    # --- recovering -----------------------------------------------------------------------------

    def recover(self, key: str) -> None:
        """Decide what follows from the failure that was just recorded."""
        step, state = self._schedule.step(key), self._state.step(key)
        if state.items is not None and address.parent_loop(key) is None:
            self._loop.record(ev.StepGaveUp(key, step.continue_on_error, "its items had their own"))
            return
        now = self._with.clock.now()
        verdict = decide(
            step,
            state,
            self._state,
            now,
            self._with.draw(),
            max_wait_s=self._with.max_wait_s,
            debugger=False,
        )
        self._follow(key, state, verdict)

    def _follow(self, key: str, state: StepState, verdict: dec.Decision) -> None:
        match verdict:
            case dec.Retry():
                self._loop.record(
                    ev.RetryScheduled(
                        key,
                        state.attempts + 1,
                        state.attempts - state.charged + verdict.of,
                        verdict.at,
                        verdict.delay_s,
                        verdict.reason,
                        verdict.adjustments,
                    )
                )
            case dec.TakeFallback():
                self._loop.record(ev.FallbackTaken(key, verdict.alternative, verdict.reason))
            case dec.GiveUp():
                self._loop.record(ev.StepGaveUp(key, verdict.continued, verdict.reason))
            case dec.Park():
                self._loop.record(ev.StepParked(key, verdict.reason, verdict.until))
            case dec.Ask():
                self._loop.record(ev.PersonAsked(key, verdict.question, verdict.reason))
            case dec.Debug():
                self._loop.record(ev.StepGaveUp(key, continued=False, reason=verdict.reason))
            case dec.Halt():
                self._loop.record(ev.StepGaveUp(key, continued=False, reason=verdict.reason))
                self._halt(verdict.reason, "security", key)
            case _:
                assert_never(verdict)

    def _halt(self, reason: str, kind: str, key: str) -> None:
        """Let nothing new start; for `security` end at once what runs."""
        if self._state.halted is None:
            self._loop.record(ev.TaskHalted(f"{kind}: {reason}", key))
        if kind == "security":
            for running in sorted(self._schedule.running):
                self._loop.cancel(running)

    # --- concluding -----------------------------------------------------------------------------

    def close(self, key: str) -> None:
        """Conclude a `for_each` whose items are over, or a sub-workflow whose steps are."""
        step, state = self._schedule.step(key), self._state.step(key)
        if state.settled or state.undecided:
            return
        if state.items is not None:
            self._close_loop(key, state)
        else:
            self._close_scope(key, step, state)

    def _close_loop(self, key: str, state: StepState) -> None:
        children = [self._state.step(address.item(key, i)) for i in range(state.count)]
        bad = [i for i, child in enumerate(children) if child.gave_up and not child.continued]
        if not bad:
            self._loop.record(ev.StepSucceeded(key, max(state.attempts, 1), Items(state.count)))
            return
        first = children[bad[0]].failure
        assert first is not None
        text = f"{len(bad)} of {state.count} items failed; {address.item(key, bad[0])}: "
        summary = msgspec.structs.replace(first, message=text + first.message)
        self._fail(key, summary)

    def _close_scope(self, key: str, step: Step, state: StepState) -> None:
        assert state.scope is not None
        workflow = self._schedule.workflow_of(key).subworkflows[state.scope.path]
        inner = [address.inside(key, each.id) for each in workflow.steps]
        states = {each: self._state.step(each) for each in inner}
        bad = next((k for k, s in states.items() if s.gave_up and not s.continued), None)
        if bad is not None:
            failure = states[bad].failure
            assert failure is not None
            message = f"{bad}: {failure.message}"
            self._fail(key, msgspec.structs.replace(failure, message=message))
            return
        try:
            outputs = self._result_of(workflow, address.inside(key, "_"))
        except ExpressionError as error:
            self._fail(key, found(Kind.INVALID_CONFIG, str(error), "outputs", error.hint))
            return
        number = max(state.attempts, 1)
        if step.until is not None:
            self._loop.record(ev.StepStarted(key, state.attempts + 1, state.round))
            if self._next_round(key, step, self._state.step(key), Done(outputs)):
                return
        self._loop.record(ev.StepSucceeded(key, number, self._with.put(outputs)))

    def expire(self, key: str) -> None:
        """End a `wait` that is over, or an approval that nobody answered."""
        state = self._state.step(key)
        if state.approval is None:
            self._loop.record(ev.StepSucceeded(key, 1))
        elif state.approval.default is not None:
            output = Inline(state.approval.default)
            self._loop.record(ev.StepSucceeded(key, 1, output))
        else:
            text = f"nobody answered in time: {state.approval.message}"
            self._fail(key, found(Kind.TIMEOUT, text, "approval.timeout"))

    def conclude(self, key: str) -> None:
        """Go on with a step whose question a person has answered."""
        step, state = self._schedule.step(key), self._state.step(key)
        if step.kind == "approval":
            self._loop.record(ev.StepSucceeded(key, 1, self._with.put(state.answer)))
        elif state.answer == "skip":
            self._loop.record(ev.StepSkipped(key, "skipped by a person"))
        elif state.answer == "fail":
            self._loop.record(ev.StepGaveUp(key, reason="given up by a person"))
        else:
            self.attempt(key)

    def end(self) -> None:
        """Record how the task ends, now that nothing will happen by itself any more."""
        event: ev.Event | None = ending_of(self._workflow, self._state)
        if event is None:
            try:
                outputs = self._with.put(self._result_of(self._workflow, ""))
                event = ev.TaskSucceeded(outputs)
            except ExpressionError as error:
                event = ev.TaskFailed(found(Kind.INVALID_CONFIG, str(error), "outputs", error.hint))
        self._loop.record(event)

    def _result_of(self, workflow: Workflow, key: str) -> Json:
        """Return a workflow's outputs: what it declares, else the last step's output."""
        if workflow.outputs is not None:
            return render(workflow.outputs, self._names(key, workflow))
        last = address.inside(address.parent_scope(key), workflow.steps[-1].id)
        return self._outputs.of_step(last, self._state.step(last))

    # --- small things ---------------------------------------------------------------------------

    def _names(self, key: str, workflow: Workflow | None = None) -> dict[str, Any]:
        own = workflow or self._schedule.workflow_of(key)
        return names(key, own, self._state, self._outputs, self._with.environ)

    def _session(self, key: str, step: Step, state: StepState) -> str | None:
        """Return the session to continue: the step's own, or that of the step it names."""
        wanted = step.spec.get("session", "continue")
        if state.session is not None or wanted in {"continue", "fresh", None}:
            return state.session
        other = address.inside(address.parent_scope(key), str(wanted))
        return self._state.step(other).session

    def _fail(self, key: str, failure: Failure) -> None:
        self._loop.record(ev.StepFailed(key, self._state.step(key).attempts, failure))

    def _release(self, key: str, failure: Failure | None) -> None:
        if admitted := self._admitted.pop(key, None):
            admitted.release(failure, self._with.clock.now())

    def _warn_once(self, message: str, key: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._loop.record(ev.Warned(message, key))


def component_of(step: Step) -> str | None:
    """Return what the step depends on: `component:`, else what its kind derives from its spec."""
    return step.component or registry.get(step.kind).component(step.spec)


def idempotency_key_of(task_id: str, key: str, state: StepState) -> str:
    """Return the key that is the same on every attempt of a step, item and round, and new after a
    reset or a fork.
    """
    text = f"{task_id}\n{key}\n{state.generation}\n{state.round}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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


def _exit_code(result: Result) -> int | None:
    return result.exit_code if isinstance(result, Done) else result.failure.exit_code


def _names_of(expression: str) -> set[str]:
    wrapped = expression if "${{" in expression else "${{ " + expression + " }}"
    return {reference.name for reference in references(wrapped)}


def _kind_of(value: Json) -> str:
    kinds = {dict: "a mapping", str: "a text", type(None): "null", bool: "a boolean"}
    return kinds.get(type(value), "a number")

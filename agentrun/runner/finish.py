"""The rules of an attempt's end: what is recorded, and what `until` makes of it."""

from typing import TYPE_CHECKING

from agentrun.core import events as ev
from agentrun.core.failure import Category, Kind
from agentrun.core.model import Step
from agentrun.core.state import OUT_OF_ROUNDS, StepState
from agentrun.runner.desk import Desk, names_in
from agentrun.runner.names import attempt_names, idempotency_key_of
from agentrun.runner.result import Done, Failed, Result, found
from agentrun.workflow.expressions import ExpressionError, truthy

if TYPE_CHECKING:
    from agentrun.runner.debug import Debugging

DEFAULT_MAX_ROUNDS = 10


class Finishing:
    """Records how attempts ended."""

    def __init__(self, desk: Desk, debugging: "Debugging") -> None:
        self._desk, self._debugging = desk, debugging

    def finished(self, key: str, attempt: int, result: Result) -> None:
        """Record how an attempt ended, and what `until` makes of it."""
        state = self._desk.state.step(key)
        if state.status != "running" or state.attempts != attempt:
            return
        step = self._desk.schedule.step(key)
        failure = result.failure if isinstance(result, Failed) else None
        verified = failure is None or failure.category is not Category.TRANSIENT
        if state.fix is not None and verified:
            self._debugging.judge(key, worked=failure is None)
        if step.until is not None and self.next_round(key, step, state, result):
            return
        if isinstance(result, Failed):
            self._record_failure(key, attempt, result)
        else:
            self._record_success(key, attempt, result)

    def _record_success(self, key: str, attempt: int, result: Done) -> None:
        extra = None if result.extra is None else self._desk.with_.put(dict(result.extra))
        self._desk.record(
            ev.StepSucceeded(
                key,
                attempt,
                self._desk.with_.put(result.output),
                result.duration_s,
                result.exit_code,
                result.usage,
                result.session,
                extra,
                result.repairs,
                self._is_remembered(key),
            )
        )

    def _is_remembered(self, key: str) -> bool:
        if not self._desk.state.step(key).messages:
            return False
        from agentrun.runner.conversations import is_continued

        return is_continued(self._desk.schedule.workflow_of(key), key)

    def _record_failure(self, key: str, attempt: int, result: Failed) -> None:
        event = ev.StepFailed(
            key, attempt, result.failure, result.duration_s, result.usage, result.session
        )
        self._desk.record(event)

    def next_round(self, key: str, step: Step, state: StepState, result: Result) -> bool:
        """Ask `until`; True when that settled what the attempt means."""
        assert step.until is not None
        exit_code = _exit_code(result)
        if isinstance(result, Failed) and (
            exit_code is None or "exit_code" not in names_in(step.until)
        ):
            return False
        used = result.usage
        scope = {
            **self._desk.names(key),
            **attempt_names(key, state, state.attempts, idempotency_key_of(self._desk.state, key)),
            "output": result.output,
            "exit_code": exit_code,
            "usage": None if used is None else used.as_json(),
        }
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
        if state.round - state.rounds_before >= (step.max_rounds or DEFAULT_MAX_ROUNDS):
            text = f"`until` did not hold after {state.round} rounds: {step.until}"
            hint = "raise `max_rounds`, or look at what the last round brought"
            bad = found(Kind.LOGIC, text, OUT_OF_ROUNDS, hint)
            self._record_failure(key, state.attempts, Failed(bad, result.duration_s, result.usage))
            return True
        self._desk.record(
            ev.RoundFinished(
                key,
                state.round,
                self._desk.with_.put(result.output),
                state.attempts,
                exit_code,
                result.usage,
                result.session,
                result.duration_s,
            )
        )
        return True


def _exit_code(result: Result) -> int | None:
    return result.exit_code if isinstance(result, Done) else result.failure.exit_code

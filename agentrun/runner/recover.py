"""The rules of recovery: from the policy's decision to events."""

from typing import assert_never

from agentrun.core import address, decision as dec, events as ev
from agentrun.core.state import StepState
from agentrun.recovery.policy import decide
from agentrun.runner.debug import Debugging
from agentrun.runner.desk import Desk


class Recovering:
    """Decides what follows from failures."""

    def __init__(self, desk: Desk, debugging: Debugging) -> None:
        self._desk, self._debugging = desk, debugging

    def recover(self, key: str) -> None:
        """Decide what follows from the failure that was just recorded."""
        step, state = self._desk.look_up(key)
        if state.items is not None and address.parent_loop(key) is None:
            self._desk.record(ev.StepGaveUp(key, step.continue_on_error, "its items had their own"))
            return
        now = self._desk.with_.clock.now()
        verdict = decide(
            step,
            state,
            self._desk.state,
            now,
            self._desk.with_.draw(),
            max_wait_s=self._desk.with_.max_wait_s,
            debugger=self._desk.workflow.debugger is not None,
        )
        self._follow(key, state, verdict)

    def _follow(self, key: str, state: StepState, verdict: dec.Decision) -> None:
        match verdict:
            case dec.Retry():
                self._desk.record(
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
                self._desk.record(ev.FallbackTaken(key, verdict.alternative, verdict.reason))
            case dec.GiveUp():
                self._desk.record(ev.StepGaveUp(key, verdict.continued, verdict.reason))
            case dec.Park():
                self._desk.record(ev.StepParked(key, verdict.reason, verdict.until))
            case dec.Ask():
                self._desk.record(ev.PersonAsked(key, verdict.question, verdict.reason))
            case dec.Debug():
                self._debugging.open(key)
            case dec.Halt():
                self._desk.record(ev.StepGaveUp(key, continued=False, reason=verdict.reason))
                self._halt(verdict.reason, "security", key)
            case _:
                assert_never(verdict)

    def _halt(self, reason: str, kind: str, key: str) -> None:
        """Let nothing new start; for `security` end at once what runs."""
        if self._desk.state.halted is None:
            self._desk.record(ev.TaskHalted(f"{kind}: {reason}", key))
        if kind == "security":
            for running in sorted(self._desk.schedule.running):
                self._desk.loop.cancel(running)

"""The rules of conclusion: loops, sub-workflows, waits, answers, and the task itself."""

import msgspec

from agentrun.core import address, events as ev
from agentrun.core.failure import Kind
from agentrun.core.model import OutputSpec, Step
from agentrun.core.state import StepState
from agentrun.core.value import Inline, Items
from agentrun.recovery.adjust.apply import adjusted
from agentrun.runner.begin import Beginning
from agentrun.runner.desk import Desk
from agentrun.runner.ending import ending_of
from agentrun.runner.finish import Finishing
from agentrun.runner.result import Done, found
from agentrun.workflow.expressions import ExpressionError


class Concluding:
    """Concludes what is over."""

    def __init__(self, desk: Desk, beginning: Beginning, finishing: Finishing) -> None:
        self._desk, self._beginning, self._finishing = desk, beginning, finishing

    def close(self, key: str) -> None:
        """Conclude a `for_each` whose items are over, or a sub-workflow whose steps are."""
        step, state = self._desk.look_up(key)
        if state.settled or state.undecided or state.waiting is not None:
            return
        if state.items is not None:
            self._close_loop(key, state)
        else:
            self._close_scope(key, step, state)

    def _close_loop(self, key: str, state: StepState) -> None:
        children = [self._desk.state.step(address.item(key, i)) for i in range(state.count)]
        bad = [i for i, child in enumerate(children) if child.gave_up]
        if not bad:
            self._desk.record(ev.StepSucceeded(key, max(state.attempts, 1), Items(state.count)))
            return
        first = children[bad[0]].failure
        assert first is not None
        left = sum(not child.attempts and not child.settled for child in children)
        unstarted = f", {left} not started" if left else ""
        text = f"{len(bad)} of {state.count} items failed{unstarted}; {address.item(key, bad[0])}: "
        summary = msgspec.structs.replace(first, message=text + first.message)
        self._desk.fail(key, summary)

    def _close_scope(self, key: str, step: Step, state: StepState) -> None:
        assert state.scope is not None
        workflow = self._desk.schedule.workflow_of(key).subworkflows[state.scope.path]
        inner = [address.inside(key, each.id) for each in workflow.steps]
        states = {each: self._desk.state.step(each) for each in inner}
        bad = next((k for k, s in states.items() if s.gave_up and not s.continued), None)
        if bad is not None:
            failure = states[bad].failure
            assert failure is not None
            message = f"{bad}: {failure.message}"
            self._desk.fail(key, msgspec.structs.replace(failure, message=message))
            return
        try:
            outputs = self._desk.result_of(workflow, address.inside(key, "_"))
        except ExpressionError as error:
            self._desk.fail(key, found(Kind.INVALID_CONFIG, str(error), "outputs", error.hint))
            return
        if step.checks or step.output != OutputSpec():
            if not self._desk.loop.busy(key):
                self._desk.loop.launch(key)  # the attempt judges the outputs (steps/workflow.py)
            return
        self._finishing.finished(key, state.attempts, Done(outputs))

    def _out_of_time(self, key: str, state: StepState) -> None:
        """End a sub-workflow, and all that runs in it. Another attempt waits until that is over."""
        for busy in self._desk.loop.busy_keys(key):
            self._beginning.release(busy)
            self._desk.loop.cancel(busy)
        limit_s = adjusted(self._desk.schedule.step(key), state.adjustments).step.timeout_s or 0.0
        text = f"timed out: the sub-workflow took longer than its limit of {limit_s:g} s"
        hint = "raise `timeout:`, or find out which of its steps takes so long"
        self._desk.fail(key, found(Kind.TIMEOUT, text, "step.timeout", hint))

    def expire(self, key: str) -> None:
        """End a `wait` that is over, an approval that nobody answered, a sub-workflow that takes
        too long.
        """
        state = self._desk.state.step(key)
        if state.scope is not None:
            self._out_of_time(key, state)
        elif state.approval is None:
            self._desk.record(ev.StepSucceeded(key, 1))
        elif state.approval.default is not None:
            output = Inline(state.approval.default)
            self._desk.record(ev.StepSucceeded(key, 1, output))
        else:
            text = f"nobody answered in time: {state.approval.message}"
            hint = "resume asks once more; `default:` would answer when nobody does"
            self._desk.fail(key, found(Kind.TIMEOUT, text, "approval.timeout", hint))

    def conclude(self, key: str) -> None:
        """Go on with a step whose question a person has answered."""
        step, state = self._desk.look_up(key)
        if step.kind == "approval":
            self._desk.record(ev.StepSucceeded(key, 1, self._desk.with_.put(state.answer)))
        elif state.answer == "skip":
            self._desk.record(ev.StepSkipped(key, "skipped by a person"))
        elif state.answer == "fail":
            self._desk.record(ev.StepGaveUp(key, reason="given up by a person"))
        else:
            self._beginning.attempt(key)

    def end(self) -> None:
        """Record how the task ends, now that nothing will happen by itself any more."""
        event: ev.Event | None = ending_of(self._desk.workflow, self._desk.state)
        if event is None:
            try:
                outputs = self._desk.with_.put(self._desk.result_of(self._desk.workflow, ""))
                event = ev.TaskSucceeded(outputs)
            except ExpressionError as error:
                event = ev.TaskFailed(found(Kind.INVALID_CONFIG, str(error), "outputs", error.hint))
        self._desk.record(event)

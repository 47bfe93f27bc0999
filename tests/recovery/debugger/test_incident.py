"""What an incident gathers, and that it stays small in a large task."""

from agentrun.core.model import Step, Workflow
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.debugger.incident import MAX_UPSTREAM, gather, nearest
from tests.recovery.debugger.incidents import failure

MANY = 4 * MAX_UPSTREAM


def chain() -> Workflow:
    steps = [Step(f"s{n}", "run", {}, needs=(f"s{n - 1}",) if n else ()) for n in range(MANY)]
    return Workflow("chain", tuple(steps))


def failed_at(key: str) -> TaskState:
    return TaskState("t", steps={key: StepState(status="failed", failure=failure())})


def test_only_the_nearest_steps_above_are_told_with_their_outputs() -> None:
    workflow, last = chain(), f"s{MANY - 1}"
    previews = {f"s{n}": "x" for n in range(MANY)}
    found = gather(last, workflow, failed_at(last), previews=previews)
    assert list(found.upstream) == [f"s{n}" for n in range(MANY - 2, MANY - 2 - MAX_UPSTREAM, -1)]
    assert nearest(workflow, workflow.steps[-1]) == list(found.upstream)


def test_any_step_above_may_be_run_again_however_far_away() -> None:
    last = f"s{MANY - 1}"
    found = gather(last, chain(), failed_at(last))
    assert found.repeatable == {f"s{n}" for n in range(MANY - 1)}


def test_a_step_above_that_two_others_need_is_told_once() -> None:
    steps = (
        Step("a", "run", {}),
        Step("b", "run", {}, needs=("a",)),
        Step("c", "run", {}, needs=("a",)),
        Step("d", "run", {}, needs=("b", "c")),
    )
    assert nearest(Workflow("w", steps), steps[-1]) == ["b", "c", "a"]

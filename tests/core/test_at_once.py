"""How many items of a `for_each` may run at once is a fact of the journal."""

from collections.abc import Sequence

import pytest

from agentrun.core import events as ev
from agentrun.core.events import Adjustment, Recorded
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import Step, Workflow
from agentrun.core.schedule import Begin, Schedule
from agentrun.core.state import TaskState, replay
from agentrun.core.value import Inline

ITEMS = 6
COLLIDED = Failure(CATEGORY_OF[Kind.RESOURCE_CONFLICT], Kind.RESOURCE_CONFLICT, "in use")
ONE = (Adjustment("concurrency_lowered", {"max_parallel": 1}, "one at once"),)
TWO = (Adjustment("fix_lower_concurrency", {"max_parallel": 2}, "two at once"),)
FIX = {"id": "f", "type": "lower_concurrency"}
BEGIN: list[ev.Event] = [
    ev.TaskStarted(
        workflow="w",
        workflow_sha256="ab" * 32,
        workflow_path="/w.yaml",
        cwd="/",
        inputs=Inline({}),
        holder=ev.Holder(1, 1, 1, "h", "b"),
        max_parallel=8,
        version="0",
        steps_total=1,
    ),
    ev.StepExpanded("each", Inline(list(range(ITEMS))), ITEMS),
    ev.StepStarted("each[0]", 1),
    ev.StepFailed("each[0]", 1, COLLIDED),
]
RETRIED = ev.RetryScheduled("each[0]", 2, 3, 0.0, 0.0, "resource_conflict", ONE)
DONE: list[ev.Event] = [ev.StepStarted("each[0]", 2), ev.StepSucceeded("each[0]", 2)]


def resumed(events: Sequence[ev.Event]) -> TaskState:
    return replay("t", [Recorded(n, float(n), event) for n, event in enumerate(events, 1)])


def begun(events: Sequence[ev.Event], max_parallel: int | None = None) -> int:
    """How many items a process begins that takes the task up after these events."""
    step = Step("each", "run", {}, for_each="${{ inputs }}", max_parallel=max_parallel)
    schedule = Schedule(Workflow("w", (step,)), resumed(events))
    return sum(isinstance(action, Begin) for action in schedule.actions(100.0))


def test_without_a_collision_all_begin() -> None:
    assert begun(BEGIN[:2]) == ITEMS


def test_a_limit_that_was_lowered_survives_a_resume_although_its_item_is_done() -> None:
    assert begun([*BEGIN, RETRIED, *DONE]) == 1


def test_it_survives_the_item_taking_another_way() -> None:
    failed: list[ev.Event] = [ev.StepStarted("each[0]", 2), ev.StepFailed("each[0]", 2, COLLIDED)]
    other: list[ev.Event] = [
        ev.FallbackTaken("each[0]", 1, "x"),
        ev.StepStarted("each[0]", 3, 1, 1),
    ]
    done = ev.StepSucceeded("each[0]", 3)
    assert begun([*BEGIN, RETRIED, *failed, *other, done]) == 1


@pytest.mark.parametrize(("worked", "most"), [(True, 2), (False, ITEMS - 1)])
def test_a_fix_that_lowers_it_is_undone_unless_it_works(worked: bool, most: int) -> None:
    events = [
        *BEGIN,
        ev.FixApplied("each[0]", "p", FIX, "rules", "they collide", 0.9, TWO),
        *DONE[:1],
        ev.FixJudged("each[0]", "p", FIX, worked),
        *DONE[1:],
    ]
    assert begun(events) == most


def test_what_another_item_asked_for_stays_when_a_fix_is_undone() -> None:
    other: list[ev.Event] = [
        ev.StepStarted("each[1]", 1),
        ev.StepFailed("each[1]", 1, COLLIDED),
        ev.RetryScheduled("each[1]", 2, 3, 0.0, 0.0, "x", TWO),
        ev.StepStarted("each[1]", 2),
        ev.StepSucceeded("each[1]", 2),
    ]
    fixed = [
        ev.FixApplied("each[0]", "p", FIX, "rules", "they collide", 0.9, ONE),
        *DONE[:1],
        ev.FixJudged("each[0]", "p", FIX, worked=False),
        *DONE[1:],
    ]
    assert begun([*BEGIN, *other, *fixed]) == 2


def test_the_declared_limit_holds_where_it_is_lower() -> None:
    events = [ev.RetryScheduled("each[0]", 2, 3, 0.0, 0.0, "x", TWO), *DONE]
    assert begun([*BEGIN, *events], max_parallel=1) == 1

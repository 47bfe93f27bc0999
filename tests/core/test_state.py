"""The fold: what each event makes of the state, and the laws that any journal obeys."""

import msgspec
import pytest
from hypothesis import given, strategies as st

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.outcome import Usage
from agentrun.core.spending import spending
from agentrun.core.state import IllegalTransition, TaskState, apply, replay
from agentrun.core.value import Inline, Items

HOLDER = ev.Holder(1, 4242, 99, "host", "boot")
REFUSED = Failure(Category.TRANSIENT, Kind.NETWORK, "connection refused")


def started() -> ev.TaskStarted:
    return ev.TaskStarted(
        workflow="demo",
        workflow_sha256="0" * 64,
        workflow_path="/w/demo.yaml",
        cwd="/w",
        inputs=Inline({}),
        holder=HOLDER,
        max_parallel=4,
        version="0",
        steps_total=2,
    )


def after(*events: ev.Event) -> TaskState:
    """Return the state after these events, a second apart."""
    records = [ev.Recorded(i, float(i), e) for i, e in enumerate((started(), *events), 1)]
    return replay("t", records)


def test_a_step_that_succeeds_keeps_its_output_and_forgets_its_failure() -> None:
    state = after(
        ev.StepStarted("a", 1),
        ev.StepFailed("a", 1, REFUSED, 0.5),
        ev.RetryScheduled("a", 2, 3, 10.0, 1.0, "network"),
        ev.StepStarted("a", 2),
        ev.StepSucceeded("a", 2, Inline("out"), 0.25, 0),
    )
    step = state.step("a")
    assert (step.status, step.output, step.attempts) == ("succeeded", Inline("out"), 2)
    assert step.failure is None
    assert step.failures == 1
    assert step.busy_s == 0.75
    assert state.retries == 1


def test_an_interrupted_attempt_is_numbered_but_not_charged() -> None:
    step = after(ev.StepStarted("a", 1), ev.StepInterrupted("a", 1, "killed")).step("a")
    assert (step.status, step.attempts, step.charged, step.interruptions) == (
        "interrupted",
        1,
        0,
        1,
    )


def test_a_failure_waits_for_its_decision_until_one_is_recorded() -> None:
    undecided = after(ev.StepStarted("a", 1), ev.StepFailed("a", 1, REFUSED))
    assert undecided.step("a").undecided
    assert not undecided.step("a").settled
    apply(undecided, ev.Recorded(4, 4.0, ev.StepGaveUp("a")))
    assert undecided.step("a").settled


def test_a_succeeded_step_can_not_be_started_again() -> None:
    state = after(ev.StepStarted("a", 1), ev.StepSucceeded("a", 1))
    with pytest.raises(IllegalTransition, match="a is succeeded"):
        apply(state, ev.Recorded(4, 4.0, ev.StepStarted("a", 2)))


def test_a_gap_in_the_sequence_is_refused() -> None:
    with pytest.raises(IllegalTransition, match="event 9 follows event 1"):
        apply(after(), ev.Recorded(9, 2.0, ev.StepStarted("a", 1)))


def test_a_reset_step_starts_afresh_with_another_generation() -> None:
    state = after(
        ev.StepStarted("a", 1), ev.StepSucceeded("a", 1), ev.StepsReset(("a",), "--from a")
    )
    assert (state.step("a").status, state.step("a").generation) == ("pending", 1)


def test_resetting_an_item_opens_its_loop_again_and_leaves_the_other_items() -> None:
    state = after(
        ev.StepExpanded("each", Inline([1, 2]), 2),
        ev.StepStarted("each[0]", 1),
        ev.StepSucceeded("each[0]", 1, Inline("x")),
        ev.StepStarted("each[1]", 1),
        ev.StepSucceeded("each[1]", 1, Inline("y")),
        ev.StepSucceeded("each", 1, Items(2)),
        ev.StepsReset(("each[1]",), "--from"),
    )
    assert state.step("each").status == "running"
    assert state.step("each[0]").status == "succeeded"
    assert state.step("each[1]").status == "pending"


def test_a_grant_gives_a_failed_step_a_fresh_set_and_opens_what_it_blocked() -> None:
    state = after(
        ev.StepStarted("a", 1),
        ev.StepFailed("a", 1, REFUSED),
        ev.StepGaveUp("a"),
        ev.StepBlocked("b", "a"),
        ev.TaskFailed(REFUSED, "a"),
        ev.TaskResumed(HOLDER, 4),
        ev.AttemptsGranted(("a",)),
    )
    assert (state.step("a").status, state.step("a").charged) == ("pending", 0)
    assert state.step("b").status == "pending"
    assert state.status == "running"


def test_a_new_round_keeps_the_output_of_the_one_before() -> None:
    step = after(ev.StepStarted("a", 1), ev.RoundFinished("a", 1, Inline("draft"), 1)).step("a")
    assert (step.round, step.status, step.output) == (2, "pending", Inline("draft"))


def test_usage_adds_up_and_an_unknown_price_is_not_zero() -> None:
    known, unknown = Usage(10, 5, 1, 0.25), Usage(1, 1, 1, None)
    state = after(
        ev.StepStarted("a", 1),
        ev.StepFailed("a", 1, REFUSED, usage=known),
        ev.StepStarted("a", 2),
        ev.StepSucceeded("a", 2, usage=unknown),
    )
    assert (state.usd, state.usd_unknown, state.tokens) == (0.25, True, 17)
    used = state.step("a").usage
    assert used is not None
    assert (used.usd, used.unpriced, used.tokens) == (0.25, True, 17)


ROUND = Usage(10, 5, 1, 0.25)


def used_in(*events: ev.Event) -> tuple[dict[str, int], int]:
    """Return the tokens by step, with all that is inside of each, and those of the task."""
    state = after(*events)
    return {key: used.tokens for key, used in spending(state).items()}, state.tokens


def test_what_is_inside_of_a_step_is_used_by_the_step() -> None:
    by_step, whole = used_in(
        ev.StepExpanded("each", Inline([1, 2]), 2),
        ev.ScopeOpened("each[0]", "sub.yaml", Inline({})),
        ev.StepStarted("each[0]/x", 1),
        ev.StepSucceeded("each[0]/x", 1, usage=ROUND),
        ev.StepStarted("each[1]", 1),
        ev.TurnNoted("each[1]", 1, Inline([]), ROUND),
    )
    assert by_step == {"each": 30, "each[0]": 15, "each[0]/x": 15, "each[1]": 15}
    assert whole == by_step["each"]


def test_rounds_other_ways_and_resets_forget_no_cost() -> None:
    inner = (ev.StepStarted("sub/x", 1), ev.StepSucceeded("sub/x", 1, usage=ROUND))
    by_step, whole = used_in(
        ev.ScopeOpened("sub", "sub.yaml", Inline({})),
        *inner,
        ev.RoundFinished("sub", 1, Inline(1), 1),
        ev.ScopeOpened("sub", "sub.yaml", Inline({})),
        *inner,
        ev.StepsReset(("sub",), "again"),
        ev.ScopeOpened("sub", "sub.yaml", Inline({})),
        *inner,
    )
    assert by_step == {"sub": 45, "sub/x": 15}
    assert whole == 45


def test_an_empty_usage_makes_no_price_unknown() -> None:
    assert not Usage().plus(Usage(1, 1, 1, 0.5)).unpriced
    assert Usage().plus(Usage(1, 1, 1)).unpriced


def test_time_between_two_runs_is_no_active_time() -> None:
    records = [
        ev.Recorded(1, 100.0, started()),
        ev.Recorded(2, 110.0, ev.TaskInterrupted("SIGINT")),
        ev.Recorded(3, 5000.0, ev.TaskResumed(HOLDER, 4)),
        ev.Recorded(4, 5002.0, ev.StepStarted("a", 1)),
    ]
    assert replay("t", records).active_s == 12.0


def test_the_time_that_a_person_takes_to_answer_is_no_active_time() -> None:
    records = [
        ev.Recorded(1, 100.0, started()),
        ev.Recorded(2, 101.0, ev.ApprovalAsked("a", "Sure?", ("yes",), "x")),
        ev.Recorded(3, 102.0, ev.TaskPaused("approval", 3, "Sure?", ("a",))),
        ev.Recorded(4, 5000.0, ev.StepAnswered("a", "yes", "me")),
        ev.Recorded(5, 6000.0, ev.TaskResumed(HOLDER, 4)),
        ev.Recorded(6, 6001.0, ev.StepStarted("b", 1)),
    ]
    assert replay("t", records).active_s == 3.0


def test_an_undone_fix_takes_its_adjustments_back() -> None:
    longer = ev.Adjustment("timeout", {"timeout_s": 60})
    state = after(
        ev.StepStarted("a", 1),
        ev.StepFailed("a", 1, REFUSED),
        ev.FixApplied("a", "f", {"type": "timeout"}, "rules", "slow", 0.9, (longer,)),
        ev.FixJudged("a", "f", {"type": "timeout"}, worked=False),
    )
    assert state.step("a").adjustments == ()


def test_a_conversation_grows_by_its_turns_and_can_be_replaced() -> None:
    grown = after(
        ev.StepStarted("a", 1),
        ev.TurnNoted("a", 1, Inline(["hi", "hello"])),
        ev.TurnNoted("a", 1, Inline(["more"]), start=2),
    )
    assert grown.step("a").messages == (Inline(["hi", "hello"]), Inline(["more"]))
    apply(grown, ev.Recorded(5, 5.0, ev.TurnNoted("a", 1, Inline(["summary"]))))
    assert grown.step("a").messages == (Inline(["summary"]),)


STEP_EVENTS = st.sampled_from(
    [
        ev.StepStarted("a", 1),
        ev.StepFailed("a", 1, REFUSED, 0.1),
        ev.StepInterrupted("a", 1, "killed"),
        ev.RetryScheduled("a", 2, 3, 9.0, 1.0, "network"),
        ev.StepGaveUp("a"),
        ev.StepParked("a", "later"),
        ev.StepExpanded("each", Inline([1, 2]), 2),
        ev.StepStarted("each[0]", 1),
        ev.StepSkipped("b", "if"),
        ev.StepsReset(("a", "b"), "--from"),
        ev.AttemptsGranted(("a", "each[0]")),
        ev.TaskPaused("temporary", 75, "later"),
        ev.TaskResumed(HOLDER, 4),
        ev.Warned("careful"),
    ]
)


@given(st.lists(STEP_EVENTS, max_size=30), st.integers(0, 30))
def test_a_snapshot_stands_for_the_events_before_it(events: list[ev.Event], cut: int) -> None:
    records = [ev.Recorded(i, float(i), e) for i, e in enumerate([started(), *events], 1)]
    whole = replay("t", records)
    snapshot = msgspec.json.encode(replay("t", records[:cut]))
    state = msgspec.json.decode(snapshot, type=TaskState)
    for recorded in records[cut:]:
        apply(state, recorded)
    assert state == whole


@given(st.lists(STEP_EVENTS, max_size=10))
def test_every_event_survives_json(events: list[ev.Event]) -> None:
    for event in events:
        assert msgspec.json.decode(msgspec.json.encode(event), type=ev.Event) == event

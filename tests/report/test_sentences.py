"""Every event has its sentence; foreign text in it is harmless."""

import typing

import msgspec
import pytest

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.outcome import Usage
from agentrun.core.state import TaskState
from agentrun.core.value import Inline
from agentrun.report.sentences import sentence
from tests.report.story import HOLDER, LOGIC, RATE_LIMIT, START, Story

HOSTILE = "\x1b[2Jfirst\nsecond\x07"
ADJUSTMENT = ev.Adjustment("timeout", {"timeout_s": 120}, "timeout doubled to 2m")


def said(*events: ev.Event) -> str:
    """Return what the last event of a story says."""
    story = Story("a", "b")
    story.add(*events)
    found = sentence(story.records[-1], story.state)
    return "" if found is None else f"{found.about}: {found.text}" if found.about else found.text


STARTED = ev.StepStarted("a", 1)
FAILED = ev.StepFailed("a", 1, RATE_LIMIT, 3.2)

CASES: list[tuple[tuple[ev.Event, ...], str]] = [
    ((ev.TaskResumed(HOLDER, 4),), "task triage-20261124-120000-k3f9 resumed: 0 of 2 steps done"),
    ((ev.InputsChanged(Inline({}), ("limit",)),), "inputs changed: limit"),
    (
        (ev.WorkflowChanged("w", "cd", "/work/new.yaml", 3),),
        "bound to another definition: /work/new.yaml",
    ),
    ((ev.StepsReset(("a", "b"), "--from a"),), "to be run again: a, b (--from a)"),
    ((ev.AttemptsGranted(("a",)),), "fresh attempts for: a"),
    ((ev.TaskPaused("quota", 75, "quota is used up"),), "paused: quota is used up"),
    ((ev.TaskSucceeded(Inline(1)),), "succeeded"),
    ((ev.TaskFailed(LOGIC, "a"),), "failed: logic (2 tests failed)"),
    ((ev.TaskCancelled("wrong repo"),), "cancelled: wrong repo"),
    ((ev.TaskInterrupted("SIGTERM"),), "interrupted by SIGTERM"),
    ((ev.TaskHalted("budget: $5 spent", "a"),), "a: nothing new starts: budget: $5 spent"),
    ((ev.Warned("slower than ever", "a"),), "a: warning: slower than ever"),
    ((STARTED,), "a: started"),
    ((ev.StepStarted("a", 3, 2, 1),), "a: attempt 3 started, round 2, fallback 1"),
    ((STARTED, ev.ProcessNoted("a", 1, 1, 1)), ""),
    ((STARTED, ev.SessionNoted("a", 1, "s")), ""),
    ((STARTED, ev.TurnNoted("a", 1, Inline([]))), ""),
    (
        (
            STARTED,
            ev.StepSucceeded(
                "a", 2, Inline(1), 3.2, usage=Usage(1000, 200, 1, 0.011), repairs=("a comma",)
            ),
        ),
        "a: done in 3.2 s, attempt 2, 1.2k tokens, $0.0110, answer mended: a comma",
    ),
    ((STARTED, FAILED), "a: attempt 1 failed after 3.2 s: rate_limit (429 Too Many Requests)"),
    (
        (STARTED, ev.StepInterrupted("a", 1, "agentrun ended")),
        "a: interrupted: agentrun ended; not charged",
    ),
    (
        (STARTED, ev.RoundFinished("a", 1, Inline(1), 1, duration_s=2.0)),
        "a: round 1 ended in 2.0 s; one more",
    ),
    (
        (STARTED, FAILED, ev.RetryScheduled("a", 2, 5, START, 3.2, "", (ADJUSTMENT,))),
        (
            "a: attempt 2 of 5 in 3.2 s: rate_limit (429 Too Many Requests); "
            "changed: timeout doubled to 2m"
        ),
    ),
    (
        (STARTED, FAILED, ev.FallbackTaken("a", 1, "retries used up")),
        "a: fallback 1: retries used up",
    ),
    (
        (STARTED, FAILED, ev.StepGaveUp("a", continued=True)),
        "a: failed after 1 attempt: rate_limit (429 Too Many Requests); the task goes on",
    ),
    (
        (STARTED, FAILED, ev.StepParked("a", "quota", START + 302)),
        "a: parked until 12:05:02 (in 4m 59s): quota",
    ),
    ((ev.PersonAsked("a", "done already?", "interrupted"),), "a: asks: done already?"),
    ((ev.StepSkipped("a", "`if` is false"),), "a: skipped: `if` is false"),
    ((ev.StepBlocked("b", "a"),), "b: blocked: needs a"),
    ((ev.StepExpanded("a", Inline([1, 2]), 2),), "a: 2 items"),
    ((ev.ScopeOpened("a", "sub.yaml", Inline({})),), "a: runs sub.yaml"),
    ((ev.WaitStarted("a", START + 301),), "a: waits until 12:05:01 (in 5m 00s)"),
    (
        (ev.ApprovalAsked("a", "Publish?", ("yes", "no"), "d1"),),
        "a: asks: Publish? [yes/no]",
    ),
    ((ev.StepAnswered("a", "yes", "eva"),), "a: answered by eva: yes"),
    (
        (STARTED, FAILED, ev.IncidentOpened("a", "f1")),
        "a: incident, the Debugger takes it: rate_limit (429 Too Many Requests)",
    ),
    (
        (STARTED, FAILED, ev.FixApplied("a", "f1", {"type": "timeout"}, "rules", "too short", 0.8)),
        "a: fix tried: timeout (too short; rules, 80% sure)",
    ),
    ((STARTED, FAILED, ev.FixJudged("a", "f1", {}, worked=True)), "a: fix worked"),
    ((STARTED, FAILED, ev.Diagnosed("a", "f1", "too short", "rules")), "a: diagnosis: too short"),
]


@pytest.mark.parametrize(("events", "text"), CASES)
def test_what_an_event_says(events: tuple[ev.Event, ...], text: str) -> None:
    assert said(*events) == text


def test_every_kind_of_event_is_among_the_cases() -> None:
    seen = {type(events[-1]) for events, _ in CASES} | {ev.TaskStarted}
    assert set(typing.get_args(ev.Event)) == seen


def test_the_first_event_names_the_task_and_where_it_comes_from() -> None:
    story = Story("a")
    first = story.records[0]
    assert isinstance(first.event, ev.TaskStarted)
    forked = msgspec.structs.replace(first.event, forked_from="old")
    found = sentence(ev.Recorded(1, START, forked), story.state)
    assert found is not None
    assert found.text == "task triage-20261124-120000-k3f9 started: 1 step, forked from old"


def test_foreign_text_is_harmless_and_on_one_line() -> None:
    bad = Failure(Category.FATAL, Kind.UNKNOWN, HOSTILE)
    events: list[ev.Event] = [
        ev.TaskPaused("quota", 75, HOSTILE),
        ev.TaskFailed(bad),
        ev.TaskCancelled(HOSTILE),
        ev.Warned(HOSTILE),
        ev.StepFailed("a", 1, bad),
        ev.StepSkipped("a", HOSTILE),
        ev.PersonAsked("a", HOSTILE, "interrupted"),
        ev.ApprovalAsked("a", HOSTILE, (HOSTILE,), "d"),
        ev.StepAnswered("a", HOSTILE, HOSTILE),
        ev.Diagnosed("a", "f", HOSTILE, "agent"),
    ]
    for event in events:
        state = TaskState("t")
        found = sentence(ev.Recorded(1, START, event), state)
        assert found is not None
        assert found.text.isprintable(), event

"""What each ending says, word for word."""

from agentrun.core import events as ev
from agentrun.core.value import Inline
from agentrun.report.ending import ending_lines
from tests.report.story import LOGIC, RATE_LIMIT, START, Story, failed_story, plain_screen

ID = "triage-20261124-120000-k3f9"


def ending(story: Story, *folder: str) -> str:
    screen, _ = plain_screen()
    return "\n".join(ending_lines(story.state, screen, START + 60, folder))


def test_failed() -> None:
    assert ending(failed_story()) == (
        "failed: label: rate_limit (429 Too Many Requests)\n"
        "  why      transient, by rule http.429 on '429'\n"
        "  hint     wait, or lower max_parallel\n"
        "  printed  | asking\n"
        "           | too many\n"
        "  done     1 of 3 steps done in 13 s, 2 retries\n"
        "  blocked  report\n"
        f"  next     agentrun debug {ID}    # why it failed, and what to do\n"
        f"           agentrun resume {ID}    # try the failed steps again"
    )


def test_succeeded() -> None:
    story = Story("a")
    story.done("a")
    story.add(ev.TaskSucceeded(Inline("ok")))
    assert ending(story, "--checkpoints", "my tasks") == (
        f"succeeded: 1 step, 3.0 s ({ID})\n"
        f"  next     agentrun --checkpoints 'my tasks' inspect {ID}"
        "    # what happened, step by step"
    )


def test_succeeded_in_spite_of_a_step_that_was_passed_over() -> None:
    story = Story("a", "b")
    story.failed("a", LOGIC)
    story.add(ev.StepGaveUp("a", continued=True))
    story.done("b")
    story.add(ev.TaskSucceeded(Inline("ok")))
    assert "  failed   a (passed over: continue_on_error)\n" in ending(story)


def test_waiting_for_an_approval() -> None:
    story = Story("a")
    story.add(
        ev.ApprovalAsked("a", "Publish\nthis?", ("yes", "no way"), "d1"),
        ev.TaskPaused("approval", 3, "Publish\nthis?", ("a",)),
    )
    assert ending(story) == (
        "paused: waits for a person: Publish this?\n"
        "  question a: Publish this? [yes / no way]\n"
        "  done     0 of 1 step done in 2.0 s\n"
        f"  next     agentrun approve {ID} a yes\n"
        f"           agentrun approve {ID} a 'no way'"
    )


def test_an_interrupted_step_that_is_not_idempotent() -> None:
    story = Story("a")
    story.add(
        ev.StepStarted("a", 1),
        ev.StepInterrupted("a", 1, "agentrun ended"),
        ev.PersonAsked("a", "has it taken effect?", "interrupted"),
        ev.TaskPaused("interrupted", 3, "has it taken effect?", ("a",)),
    )
    assert ending(story).splitlines()[-2:] == [
        (
            f"  next     agentrun resume {ID} --retry a"
            "    # it has not taken effect, or may do so again"
        ),
        f"           agentrun resume {ID} --skip a    # it has taken effect",
    ]


def test_an_escalation_asks_for_a_cure_not_for_what_took_effect() -> None:
    story = Story("a")
    story.failed("a", RATE_LIMIT)
    story.add(
        ev.PersonAsked("a", "a: the cause is not known", "escalation"),
        ev.TaskPaused("escalation", 3, "a: the cause is not known", ("a",)),
    )
    assert ending(story).splitlines()[-2:] == [
        f"           agentrun resume {ID} --retry a    # once the cause is cured",
        f"           agentrun resume {ID} --skip a    # go on without it",
    ]


def test_parked_until_a_known_time() -> None:
    story = Story("a")
    story.failed("a", RATE_LIMIT)
    story.add(
        ev.StepParked("a", "quota resets", START + 3660),
        ev.TaskPaused("temporary", 75, "a: quota resets", ("a",), START + 3660),
    )
    text = ending(story)
    assert text.startswith(
        "paused until 13:01:00 (in 1h 00m): stopped by something temporary: a: quota resets\n"
        "  why      transient, by rule http.429 on '429'\n"
    )
    assert f"  next     agentrun resume {ID}    # go on when that is over" in text


def test_budget() -> None:
    story = Story("a")
    story.add(ev.TaskHalted("budget: $5"), ev.TaskPaused("budget", 3, "budget: $5"))
    text = ending(story)
    assert f"next     agentrun inspect {ID}" in text
    assert f"agentrun resume {ID} --workflow " in text  # without it, the budget stays used up


def test_escalation_leads_to_the_debugger() -> None:
    story = Story("a")
    story.failed("a", LOGIC)
    story.add(
        ev.PersonAsked("a", "no fix worked", "escalation"),
        ev.TaskPaused("escalation", 3, "no fix worked", ("a",)),
    )
    assert f"next     agentrun debug {ID}" in ending(story)


def test_interrupted_and_cancelled_and_gone() -> None:
    story = Story("a")
    assert ending(story).startswith(f"{ID} did not end: the process that ran it is gone")
    story.add(ev.TaskInterrupted("SIGINT"))
    assert ending(story).startswith(f"interrupted by SIGINT, checkpoint saved ({ID})")
    assert f"next     agentrun resume {ID}" in ending(story)
    cancelled = Story("a")
    cancelled.add(ev.TaskCancelled("wrong repo"))
    assert ending(cancelled).startswith(f"cancelled: wrong repo ({ID})")
    assert f"next     agentrun inspect {ID}" in ending(cancelled)


def test_a_fork_begins_with_resume() -> None:
    story = Story("a")
    story.add(ev.TaskPaused("interrupted", 3, "forked from x at event 3"))
    assert ending(story).splitlines()[-1] == f"  next     agentrun resume {ID}    # begin"


def test_usage_and_warnings_are_told() -> None:
    story = Story("a")
    story.add(ev.Warned("the mirror was repaired"))
    story.state.tokens, story.state.usd, story.state.usd_unknown = 1500, 0.02, True
    story.add(ev.TaskInterrupted("SIGTERM"))
    text = ending(story)
    assert "1.5k tokens, at least $0.0200" in text
    assert "  warning  the mirror was repaired\n" in text


def test_what_failed_is_told_once_not_with_all_it_is_in() -> None:
    story = Story("sub")
    story.add(ev.ScopeOpened("sub", "sub.yaml", Inline({})))
    for key in ("sub/a", "sub/b", "sub"):
        story.failed(key, LOGIC)
        story.add(ev.StepGaveUp(key))
    story.add(ev.TaskFailed(LOGIC, "sub/a"))
    assert "  also     sub/b failed\n" in ending(story)

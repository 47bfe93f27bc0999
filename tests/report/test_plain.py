from agentrun.core import events as ev
from agentrun.report.plain import PlainReporter
from tests.report.story import LOGIC, Story, failed_story, looped_story, plain_screen


def told(story: Story, *, verbose: bool = False) -> str:
    """Return the lines of a whole story, told event by event as it happens."""
    screen, stream = plain_screen()
    reporter = PlainReporter(screen, verbose=verbose)
    again = Story(*[step.id for step in story.workflow.steps])
    reporter.records(again.records, again.state)
    reporter.begin(again.workflow, again.state)
    for recorded in story.records[1:]:
        again.time = recorded.time
        reporter.records(again.add(recorded.event), again.state)
    reporter.end(again.state)
    return stream.getvalue()


def test_a_run_that_fails() -> None:
    assert told(failed_story()) == (
        "12:00:00 task triage-20261124-120000-k3f9 started: 3 steps\n"
        "12:00:01 issues  started\n"
        "12:00:02 issues  done in 1.0 s\n"
        "12:00:03 label  started\n"
        "12:00:05 label  attempt 2 of 3 in 3.2 s: rate_limit (429 Too Many Requests)\n"
        "12:00:06 label  attempt 2 started\n"
        "12:00:08 label  attempt 3 of 3 in 3.2 s: rate_limit (429 Too Many Requests)\n"
        "12:00:09 label  attempt 3 started\n"
        "12:00:11 label  failed after 3 attempts: rate_limit (429 Too Many Requests)\n"
        "12:00:12 report  blocked: needs label\n"
    )


def test_a_resume_says_what_it_goes_on_waiting_for() -> None:
    story = Story("pause")
    story.add(ev.WaitStarted("pause", story.time + 600))
    story.add(ev.TaskInterrupted("SIGINT"))
    story.add(ev.TaskResumed(story.state.holder, 4))  # type: ignore[arg-type]
    lines = told(story).splitlines()
    assert lines[-1].endswith("pause  goes on waiting until 12:10:01 (in 9m 58s)")


def test_verbose_tells_each_failed_attempt() -> None:
    assert "attempt 1 failed after 1.0 s" in told(failed_story(), verbose=True)


def test_few_items_have_a_line_each() -> None:
    text = told(looped_story(3, done=2, failed=1))
    assert "each[0]  done in 1.0 s" in text
    assert "each[0]  started" not in text
    assert "each[2]  failed after 1 attempt: logic (2 tests failed)" in text


def test_many_items_have_a_line_a_tenth_and_every_failure_its_own() -> None:
    lines = [line[9:] for line in told(looped_story(200, done=100, failed=1)).splitlines()]
    assert lines[3:-1] == [
        "each  200 items",
        *(f"each  {20 * tenth} of 200 items done" for tenth in range(1, 6)),
    ]
    assert lines[-1] == "each[100]  failed after 1 attempt: logic (2 tests failed)"


def test_steps_inside_of_many_items_are_silent_too() -> None:
    story = looped_story(50)
    story.add(ev.ScopeOpened("each[0]", "sub.yaml", story.records[0].event.inputs))  # type: ignore[union-attr]
    story.done("each[0]/inner")
    story.failed("each[0]/bad", LOGIC)
    story.add(ev.StepGaveUp("each[0]/bad"))
    text = told(story)
    assert "inner" not in text
    assert "each[0]/bad  failed" in text


def test_output_is_shown_when_verbose_in_whole_harmless_lines() -> None:
    screen, stream = plain_screen()
    reporter = PlainReporter(screen, verbose=True)
    reporter.output("a", 1, b"one\ntw")
    reporter.output("b", 1, b"other\n")
    reporter.output("a", 1, b"o \x1b[31mred\r\n\xff\n")
    reporter.output("a", 1, b"no end")
    reporter.end(failed_story().state)
    assert stream.getvalue() == (
        "         a  | one\n"
        "         b  | other\n"
        "         a  | two red\n"
        "         a  | \ufffd\n"
        "         a  | no end\n"
    )


def test_output_is_not_shown_otherwise() -> None:
    screen, stream = plain_screen()
    PlainReporter(screen).output("a", 1, b"one\n")
    assert stream.getvalue() == ""


def test_warnings_are_printed() -> None:
    screen, stream = plain_screen()
    PlainReporter(screen).warn("mirror\nrepaired")
    assert stream.getvalue() == "warning: mirror repaired\n"


def test_a_flood_without_line_ends_does_not_gather() -> None:
    screen, stream = plain_screen()
    reporter = PlainReporter(screen, verbose=True)
    for _ in range(100):
        reporter.output("a", 1, b"x" * 1000)
    lines = stream.getvalue().splitlines()
    assert lines
    assert max(map(len, lines)) < 2100

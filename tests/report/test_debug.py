import json
from html.parser import HTMLParser

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.report.debug_report import html, markdown, report_object
from agentrun.report.debug_view import debug_lines
from agentrun.report.incident import Incident, Log, Sources, failed_steps, incidents
from agentrun.report.timeline import concerns, timeline
from tests.report.story import (
    HOLDER,
    LOGIC,
    Story,
    failed_story,
    looped_story,
    plain_screen,
    read,
)

ID = "triage-20261124-120000-k3f9"


def found(story: Story, logs: dict[tuple[str, int], str] | None = None) -> list[Incident]:
    def log(step: str, attempt: int) -> Log | None:
        text = (logs or {}).get((step, attempt))
        return Log(f"/l/{step}/{attempt}.log", len(text), text) if text else None

    sources = Sources(
        story.records,
        story.workflow,
        output=lambda state, key: read(state.step(key).output),
        inputs=lambda state: read(state.inputs),
        item=lambda _state, key: 7 if "[" in key else None,
        log=log,
    )
    return incidents(story.state, sources)


def test_the_page_of_a_failure() -> None:
    story = failed_story()
    screen, _ = plain_screen()
    logs = {("label", 1): "asking\n", ("label", 3): "\x1b[31mtoo many\x1b[0m\n"}
    lines = debug_lines(story.state, found(story, logs), story.records, screen)
    assert "\n".join(lines) == (
        "label: rate_limit (429 Too Many Requests)\n"
        "  category   transient, rate_limit: rule http.429 on '429'\n"
        "  status     429\n"
        "  hint       wait, or lower max_parallel\n"
        "\n"
        "what happened\n"
        "     4  12:00:03  started\n"
        "     5  12:00:04  attempt 1 failed after 1.0 s: rate_limit (429 Too Many Requests)\n"
        "     6  12:00:05  attempt 2 of 3 in 3.2 s: rate_limit (429 Too Many Requests)\n"
        "     7  12:00:06  attempt 2 started\n"
        "     8  12:00:07  attempt 2 failed after 1.0 s: rate_limit (429 Too Many Requests)\n"
        "     9  12:00:08  attempt 3 of 3 in 3.2 s: rate_limit (429 Too Many Requests)\n"
        "    10  12:00:09  attempt 3 started\n"
        "    11  12:00:10  attempt 3 failed after 1.0 s: rate_limit (429 Too Many Requests)\n"
        "    12  12:00:11  failed after 3 attempts: rate_limit (429 Too Many Requests)\n"
        "\n"
        "before it, after event 3\n"
        '  step    {"run": {"command": "echo label"}}\n'
        '  inputs  {"limit": 3}\n'
        "  issues  succeeded\n"
        "    [\n"
        "      1,\n"
        "      2\n"
        "    ]\n"
        "\n"
        "attempt 1, failed after 1.0 s\n"
        "  rate_limit (429 Too Many Requests)\n"
        "  printed 7 B: /l/label/1.log\n"
        "  | asking\n"
        "\n"
        "attempt 2, failed after 1.0 s\n"
        "  rate_limit (429 Too Many Requests)\n"
        "  printed nothing that was kept\n"
        "\n"
        "attempt 3, failed after 1.0 s\n"
        "  rate_limit (429 Too Many Requests)\n"
        "  printed 18 B: /l/label/3.log\n"
        "  | too many\n"
        "\n"
        "next\n"
        f"  agentrun logs {ID} label    # everything its last attempt printed\n"
        f"  agentrun inspect {ID} --at 3    # how all steps stood before it\n"
        f"  agentrun resume {ID}    # try the failed steps again\n"
        f"  agentrun resume {ID} --workflow FILE"
        "    # go on with a corrected definition; what is done stays done"
    )


def test_nothing_has_failed() -> None:
    story = Story("a")
    story.done("a")
    screen, _ = plain_screen()
    lines = list(debug_lines(story.state, found(story), story.records, screen))
    assert lines[0] == f"{ID} is not over: no step has failed."


def test_the_innermost_step_is_the_incident() -> None:
    story = looped_story(3, failed=2)
    failure = Failure(Category.RECOVERABLE, Kind.LOGIC, "2 of 3 items failed")
    story.add(ev.StepFailed("each", 0, failure), ev.StepGaveUp("each"))
    story.add(ev.TaskFailed(failure, "each[1]"))
    assert failed_steps(story.state) == ["each[1]", "each[0]"]
    assert found(story)[0].item == 7


def test_what_the_debugger_found_is_shown() -> None:
    story = Story("a")
    story.failed("a", LOGIC)
    story.add(
        ev.IncidentOpened("a", "f1"),
        ev.Diagnosed("a", "f1", "the limit is too low", "rules", ({"type": "timeout"},)),
        ev.StepGaveUp("a"),
        ev.TaskFailed(LOGIC, "a"),
    )
    screen, _ = plain_screen()
    text = "\n".join(debug_lines(story.state, found(story), story.records, screen))
    assert "diagnosis (rules)\n  the limit is too low\n  fix 1: " in text


def test_an_attempt_cut_off_and_one_changed() -> None:
    story = Story("a")
    story.add(ev.StepStarted("a", 1), ev.StepInterrupted("a", 1, "agentrun ended"))
    story.failed("a", LOGIC, attempt=2)
    change = ev.Adjustment("timeout", {"timeout_s": 2}, "timeout doubled")
    story.add(ev.RetryScheduled("a", 3, 3, story.time, 0.0, "", (change,)))
    story.add(ev.StepStarted("a", 3))
    seen = found(story)[0].attempts
    assert [each.ended for each in seen] == ["interrupted", "failed", "still running"]
    assert seen[2].changes == ("timeout doubled",)


def hostile_story() -> Story:
    story = Story("a")
    story.failed("a", Failure(Category.FATAL, Kind.UNKNOWN, "<script>alert(1)</script> `x`"))
    failure = story.state.step("a").failure
    assert failure is not None
    story.add(ev.StepGaveUp("a"), ev.TaskFailed(failure, "a"))
    return story


HOSTILE_LOG = {("a", 1): "```\n# not a heading\n</pre><script>alert(2)</script>\n````\n\x1b[2J"}


def test_a_markdown_report_can_not_be_broken_out_of() -> None:
    story = hostile_story()
    lines = list(markdown(story.state, found(story, HOSTILE_LOG), story.records))
    fence = "`````"
    assert lines.count(fence) == 2
    inside = lines[lines.index(fence) + 1 :]
    assert inside[:4] == ["```", "# not a heading", "</pre><script>alert(2)</script>", "````"]


def test_an_html_report_has_no_foreign_elements() -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: set[str] = set()

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.seen.add(tag)

    story, tags = hostile_story(), Tags()
    tags.feed("\n".join(html(story.state, found(story, HOSTILE_LOG), story.records)))
    assert "script" not in tags.seen
    assert {"h1", "h2", "pre"} <= tags.seen


def test_a_json_report_is_json() -> None:
    story = failed_story()
    data = json.loads(json.dumps(report_object(story.state, found(story))))
    assert data["error"]["kind"] == "rate_limit"
    assert data["incidents"][0]["step"] == "label"
    assert len(data["incidents"][0]["attempts"]) == 3
    assert data["next"][0] == f"agentrun logs {ID} label"


def test_what_the_step_needs_is_told_as_it_was_before_whatever_became_of_it() -> None:
    story = failed_story()
    assert [each.status for each in found(story)[0].needed] == ["succeeded"]
    story.add(ev.StepsReset(("issues",), "asked"), ev.StepStarted("issues", 1))
    (needed,) = found(story)[0].needed
    assert (needed.step, needed.status, needed.output) == ("issues", "succeeded", [1, 2])


def test_the_story_of_one_step_is_the_part_of_the_whole_story_that_concerns_it() -> None:
    resumed = failed_story()
    resumed.add(ev.TaskResumed(HOLDER, 8), ev.AttemptsGranted(("label",)))
    resumed.failed("label", attempt=4)
    for story in (failed_story(), looped_story(5, done=2, failed=2), resumed):
        whole = list(timeline(ID, story.records))
        for key in story.state.steps:
            own = [told for told in whole if concerns(told[0].event, key)]
            assert list(timeline(ID, story.records, key)) == own

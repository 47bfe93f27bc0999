import json

from agentrun.core import events as ev
from agentrun.core.value import Inline
from agentrun.report.events import EventsReporter
from tests.report.story import Story, failed_story


def lines(written: list[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in b"".join(written).splitlines()]


def test_each_event_is_a_line() -> None:
    story, written = failed_story(), []  # type: tuple[Story, list[bytes]]
    reporter = EventsReporter(written.append)
    reporter.records(story.records, story.state)
    found = lines(written)
    assert [each["type"] for each in found][:4] == [
        "task_started",
        "step_started",
        "step_succeeded",
        "step_started",
    ]
    assert found[1] == {
        "seq": 2,
        "time": "2026-11-24T12:00:01.000Z",
        "type": "step_started",
        "task_id": "triage-20261124-120000-k3f9",
        "step": "issues",
        "attempt": 1,
    }
    assert found[-1]["type"] == "task_failed"
    assert [each["seq"] for each in found] == list(range(1, len(found) + 1))


def test_on_stdout_the_last_event_holds_the_result() -> None:
    story, written = Story("a"), []  # type: tuple[Story, list[bytes]]
    story.done("a")
    story.add(ev.TaskSucceeded(Inline("ok")))
    reporter = EventsReporter(written.append, hold_last=True)
    reporter.records(story.records, story.state)
    assert [each["type"] for each in lines(written)][-1] == "step_succeeded"
    reporter.finish(story.state, {"answer": 42})
    last = lines(written)[-1]
    assert last["type"] == "task_succeeded"
    assert last["result"] == {"answer": 42}
    assert last["seq"] == 4


def test_a_result_that_is_printed_again_is_one_line() -> None:
    story, written = Story("a"), []  # type: tuple[Story, list[bytes]]
    story.add(ev.TaskSucceeded(Inline("ok")))
    EventsReporter(written.append, hold_last=True).finish(story.state, "ok")
    assert lines(written) == [
        {
            "seq": 2,
            "time": "2026-11-24T12:00:01.000Z",
            "type": "task_succeeded",
            "task_id": story.state.task_id,
            "result": "ok",
        }
    ]

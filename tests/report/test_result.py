import io
import json

import pytest

from agentrun.core import events as ev
from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.core.value import Inline
from agentrun.errors import NotWritable, UsageError
from agentrun.report.result import refusal_object, task_object, write_json, write_result
from agentrun.report.screen import Screen
from tests.report.story import FakeTerminal, Story, failed_story, looped_story, plain_screen


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ("text", "text\n"),
        ("text\n", "text\n"),
        ("two\n\n", "two\n\n"),
        ("", "\n"),
        ("\x1b[31mred", "\x1b[31mred\n"),
        (None, "null\n"),
        ({"a": [1, "ü"]}, '{"a": [1, "ü"]}\n'),
        (1.5, "1.5\n"),
    ],
)
def test_a_result_on_a_pipe(outputs: Json, text: str) -> None:
    screen, stream = plain_screen()
    write_result(screen, outputs)
    assert stream.getvalue() == text


def test_a_lone_surrogate_stays_valid_json() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw)
    write_json(Screen(stream), {"a": "\ud800"})
    assert json.loads(raw.getvalue()) == {"a": "\ud800"}


def test_a_result_on_a_terminal_is_harmless_and_indented() -> None:
    stream = FakeTerminal()
    screen = Screen(stream)
    write_result(screen, "\x1b[2Jtext\x07")
    write_result(screen, {"a": "\x9b31m"})
    assert stream.getvalue() == 'text\\x07\n{\n  "a": "\\x9b31m"\n}\n'


def test_the_object_of_a_failed_task() -> None:
    story = failed_story()
    found = task_object(story.state, None, exit_code=1, workflow=story.workflow)
    error = {
        "category": "transient",
        "kind": "rate_limit",
        "message": "429 Too Many Requests",
        "hint": "wait, or lower max_parallel",
    }
    assert found == {
        "task_id": "triage-20261124-120000-k3f9",
        "workflow": "triage",
        "status": "failed",
        "exit_code": 1,
        "outputs": None,
        "error": {"step": "label", **error},
        "steps": {
            "issues": {"status": "succeeded", "attempts": 1, "duration_s": 1.0, "error": None},
            "label": {"status": "failed", "attempts": 3, "duration_s": 3.0, "error": error},
            "report": {"status": "blocked", "attempts": 0, "duration_s": 0.0, "error": None},
        },
        "usage": {
            "tokens": 0,
            "usd": 0.0,
            "usd_unknown": False,
            "retries": 2,
            "duration_s": 13.0,
        },
        "next": "agentrun debug triage-20261124-120000-k3f9",
    }


def test_steps_that_have_not_begun_are_there_and_items_are_counted() -> None:
    story = looped_story(10, done=4, failed=1)
    story.add(ev.StepStarted("each[5]", 1))
    steps = task_object(story.state, None, exit_code=1, workflow=story.workflow)["steps"]
    begun = [f"each[{index}]" for index in range(6)]
    assert list(steps) == ["list", "each", "sum", *begun]
    assert steps["sum"]["status"] == "pending"
    assert steps["each"]["attempts"] == sum(steps[key]["attempts"] for key in begun)
    assert steps["each"]["items"] == {
        "total": 10,
        "succeeded": 4,
        "failed": 1,
        "running": 1,
        "pending": 4,
    }


def test_steps_of_a_sub_workflow_stand_behind_their_own() -> None:
    story = Story("sub", "after")
    story.add(ev.ScopeOpened("sub", "sub.yaml", Inline({})))
    story.done("sub/inner")
    story.done("after")
    story.done("sub/last")
    steps = task_object(story.state, None, exit_code=0, workflow=story.workflow)["steps"]
    assert list(steps) == ["sub", "sub/inner", "sub/last", "after"]


def test_cost_by_step_item_and_task() -> None:
    story = Story("each", "free")
    story.add(
        ev.StepExpanded("each", Inline([1, 2]), 2),
        ev.StepStarted("each[0]", 1),
        ev.StepSucceeded("each[0]", 1, usage=Usage(10, 5, 1, 0.5, "m", cached_tokens=8)),
        ev.StepStarted("each[1]", 1),
        ev.StepSucceeded("each[1]", 1, usage=Usage(1, 1, 1, None, "m")),
    )
    story.done("free")
    found = task_object(story.state, None, exit_code=0, workflow=story.workflow)
    steps = found["steps"]
    assert "usage" not in steps["free"]
    assert steps["each"]["usage"] == {
        "tokens": 17,
        "input_tokens": 11,
        "cached_tokens": 8,
        "output_tokens": 6,
        "requests": 2,
        "usd": 0.5,
        "usd_unknown": True,
        "model": "m",
    }
    assert steps["each[0]"]["usage"]["usd_unknown"] is False
    assert steps["each[1]"]["usage"]["usd"] is None
    assert (found["usage"]["usd"], found["usage"]["usd_unknown"]) == (0.5, True)


def test_a_price_nobody_knows_is_null_not_zero() -> None:
    story = Story("a")
    story.add(ev.StepStarted("a", 1), ev.StepSucceeded("a", 1, usage=Usage(1, 1, 1)))
    usage = task_object(story.state, None, exit_code=0)["usage"]
    assert (usage["usd"], usage["usd_unknown"], usage["tokens"]) == (None, True, 2)


def test_an_approval_is_no_error() -> None:
    story = Story("a")
    story.add(
        ev.ApprovalAsked("a", "Publish?", ("yes",), "d"),
        ev.TaskPaused("approval", 3, "Publish?", ("a",)),
    )
    found = task_object(story.state, None, exit_code=3, folder_option=("--checkpoints", "x y"))
    assert found["error"] is None
    assert found["next"] == f"agentrun --checkpoints 'x y' approve {story.state.task_id} a yes"


def test_a_refusal_has_the_same_keys() -> None:
    story = failed_story()
    refused = refusal_object(UsageError("no such file", "look"), "agentrun list")
    assert refused.keys() == task_object(story.state, None, exit_code=1).keys()
    assert refused["error"]["message"] == "no such file"
    assert refused["next"] == "agentrun list"
    assert refusal_object(NotWritable("full disk"), "")["exit_code"] == 4

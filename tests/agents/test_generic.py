"""A CLI described in the workflow."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from agentrun.core.failure import Evidence, Kind
from agentrun.core.outcome import Success, Usage
from agentrun.failures.classify import classify
from agentrun.steps.agent import GenericCli, component
from agentrun.steps.agents.generic import at
from tests.agents.fake_cli import FakeCli
from tests.agents.world import World

Fake = Callable[[str], FakeCli]

DESCRIBED: dict[str, Any] = {
    "command": "helper --json",
    "resume": ["helper", "--json", "--continue", "{session}"],
    "result": "reply.text",
    "session": "id",
    "usage": {"input_tokens": "tokens.in", "output_tokens": "tokens.out"},
    "cost": "usd",
    "error": "error.message",
    "status": "error.code",
    "env": {"HELPER_RETRIES": "0"},
}
GOOD = (
    '{"id": "h1", "reply": {"text": "done"}, "tokens": {"in": 7, "out": 2}, "usd": 0.25,'
    ' "error": null}'
)


def perform(world: World, cli: dict[str, Any], **changes: Any) -> Success | Evidence:
    return world.attempt({"cli": cli, "prompt": "do it"}, **changes)


def test_everything_stands_where_it_was_said_to(world: World, fake: Fake) -> None:
    helper = fake("helper").prints(GOOD)
    outcome = perform(world, DESCRIBED)
    assert outcome == Success("done", 0, Usage(7, 2, 1, 0.25), "h1")
    assert helper.calls[0].args == ["--json", "do it"]
    assert helper.calls[0].env["HELPER_RETRIES"] == "0"
    assert world.sessions == ["h1"]


def test_exit_0_with_an_error_is_a_failure(world: World, fake: Fake) -> None:
    fake("helper").prints('{"error": {"message": "no credit", "code": 402}}')
    outcome = perform(world, DESCRIBED)
    assert isinstance(outcome, Evidence)
    assert (outcome.text, outcome.status, outcome.exit_code) == ("no credit", 402, 0)


def test_it_goes_on_in_its_session(world: World, fake: Fake) -> None:
    helper = fake("helper").prints(GOOD)
    perform(world, DESCRIBED, session="h1")
    assert helper.calls[0].args[:3] == ["--json", "--continue", "h1"]


def test_a_prompt_is_one_argument_whatever_it_holds(world: World, fake: Fake) -> None:
    helper = fake("helper").prints("fine")
    nasty = "$(touch x); 'quoted'\n{session} {prompt}"
    cli = {"command": ["helper", "-p", "{prompt}", "--end"], "format": "text"}
    world.attempt({"cli": cli, "prompt": nasty})
    assert helper.calls[0].args == ["-p", nasty, "--end"]


def test_text_by_stdin(world: World, fake: Fake) -> None:
    helper = fake("helper").prints("line 1\nline 2\n")
    outcome = perform(world, {"command": "helper", "prompt": "stdin", "format": "text"})
    assert isinstance(outcome, Success)
    assert outcome.output == "line 1\nline 2\n"
    assert helper.calls[0].stdin == "do it"


def test_json_lines_the_last_word_counts(world: World, fake: Fake) -> None:
    fake("helper").prints('{"a": "first"}\nnoise\n{"id": 5}\n{"a": "last"}\n')
    outcome = perform(
        world, {"command": "helper", "format": "jsonl", "result": "a", "session": "id"}
    )
    assert isinstance(outcome, Success)
    assert (outcome.output, outcome.session) == ("last", "5")


def test_no_answer_at_its_path(world: World, fake: Fake) -> None:
    fake("helper").prints('{"other": 1}')
    assert isinstance(perform(world, DESCRIBED), Evidence)


@pytest.mark.parametrize(
    ("path", "found"),
    [("a.b", 1), ("l.0", "x"), ("l.-1", "y"), ("l.7", None), ("a.b.c", None), (None, None)],
)
def test_paths(path: str | None, found: object) -> None:
    assert at({"a": {"b": 1}, "l": ["x", "y"]}, path) == found


@pytest.mark.parametrize("form", ["json", "jsonl", "text"])
def test_an_answer_without_an_end_is_ended(world: World, fake: Fake, form: str) -> None:
    fake("helper").prints(GOOD, then="head -c 18000000 /dev/zero | tr '\\0' x; sleep 60")
    began = time.monotonic()
    outcome = perform(world, {**DESCRIBED, "format": form})
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.OUTPUT_FORMAT
    assert "helper printed more than 16 MiB" in outcome.text
    assert time.monotonic() - began < 30


def test_what_it_is_called(world: World) -> None:
    assert component({"cli": {"command": "/opt/bin/helper -x"}}) == "helper"
    assert component({"cli": {"command": ["helper"], "name": "my helper"}}) == "my helper"
    assert component({"cli": "codex"}) == "codex"
    assert component({"model": ["openai:gpt-5.1", "anthropic:x"]}) == "openai"


def test_a_description_is_checked() -> None:
    with pytest.raises(ValueError, match="empty"):
        GenericCli(command="  ", result="x")
    with pytest.raises(ValueError, match="needs `result`"):
        GenericCli(command="x")

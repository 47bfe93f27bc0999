"""Agents with a model API: pydantic-ai against a scripted server that speaks OpenAI's protocol."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from agentrun.core.failure import Evidence, Kind
from agentrun.core.model import Json, OutputSpec
from agentrun.core.outcome import Success, TurnDone, Usage
from agentrun.errors import NotWritable
from agentrun.failures.classify import classify
from tests.agents.world import World, failure

PROVIDER_KEYS = {"OPENAI_API_KEY": "k"}
TOOL_FILE = """
def add(a: int, b: int) -> int:
    "Add two numbers."
    print("adding", a, b)
    with open(__file__ + ".calls", "a") as calls:
        calls.write("x")
    return a + b

def broken() -> str:
    raise KeyError("no such shelf")
"""

MCP_SERVER = """
import os
from mcp.server import MCPServer

server = MCPServer("shelf")

@server.tool()
def look_up(key: str) -> str:
    "Look something up."
    return f"{key} is {os.environ['SHELF']}"

server.run("stdio")
"""


class Model:
    """Answers each request with the next of its lines: a text, tool calls, or an HTTP status."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/v1")
        self.name = "gpt-5.1"
        self.seen: list[dict[str, Any]] = []
        self._script: list[Any] = []
        server.expect_request("/v1/chat/completions").respond_with_handler(self._answer)

    def says(self, *script: Any) -> "Model":
        self._script = list(script)
        return self

    def _answer(self, request: Request) -> Response:
        self.seen.append(json.loads(request.data))
        line = self._script.pop(0)
        if isinstance(line, int):
            error = {"error": {"message": f"refused {line}", "type": "x", "code": "y"}}
            return Response(json.dumps(error), line, {"Retry-After": "7"})
        return Response("".join(_chunks(line, self.name)), content_type="text/event-stream")


def _chunks(line: Any, name: str) -> Iterator[str]:
    delta: dict[str, Any] = {"role": "assistant", "content": line}
    if not isinstance(line, str):
        calls = [
            {
                "index": index,
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, (name, arguments) in enumerate(line)
        ]
        delta = {"role": "assistant", "content": None, "tool_calls": calls}
    reason = "stop" if isinstance(line, str) else "tool_calls"
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": name}
    choices = [{"index": 0, "delta": delta, "finish_reason": None}]
    yield f"data: {json.dumps({**head, 'choices': choices})}\n\n"
    ends = [{"index": 0, "delta": {}, "finish_reason": reason}]
    yield f"data: {json.dumps({**head, 'choices': ends})}\n\n"
    yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


@pytest.fixture
def model(httpserver: HTTPServer) -> Model:
    pytest.importorskip("pydantic_ai", reason="the extra [llm] is not installed")
    return Model(httpserver)


@pytest.fixture
def ask(world: World, model: Model) -> Callable[..., Success | Evidence]:
    (world.folder / "tools.py").write_text(TOOL_FILE)
    world.env |= PROVIDER_KEYS

    def perform(more: dict[str, Any] | None = None, **changes: Any) -> Success | Evidence:
        spec = {"model": "openai:gpt-5.1", "prompt": "the task", "base_url": model.url}
        return world.attempt({**spec, **(more or {})}, **changes)

    return perform


Ask = Callable[..., Success | Evidence]
TOOLS = {"tools": ["tools.py:add"]}
ADD = [("add", {"a": 1, "b": 2})]


def test_it_answers_and_each_turn_is_noted(world: World, model: Model, ask: Ask) -> None:
    model.says("fine")
    assert ask({"system": "be brief"}) == Success("fine")
    assert [turn.usage for turn in world.turns] == [Usage(100, 10, 1, 0.000225, "gpt-5.1")]
    assert "fine" in world.log.tail()
    assert [m["role"] for m in model.seen[0]["messages"]] == ["system", "user"]


def test_only_what_is_written_is_sent(model: Model, ask: Ask) -> None:
    model.says("a", "b")
    ask()
    ask({"temperature": 0.5, "max_tokens": 99})
    plain, tuned = model.seen
    assert not {"temperature", "max_tokens", "max_completion_tokens"} & plain.keys()
    assert tuned["temperature"] == 0.5
    assert 99 in (tuned.get("max_tokens"), tuned.get("max_completion_tokens"))


def test_tools_are_called_and_what_they_print_is_in_the_log(
    world: World, model: Model, ask: Ask
) -> None:
    model.says(ADD, "3")
    assert ask(TOOLS) == Success("3")
    log = world.log.tail()
    assert '[tool] add {"a":1,"b":2}' in log
    assert "adding 1 2" in log
    results = [m for m in model.seen[1]["messages"] if m["role"] == "tool"]
    assert [m["content"] for m in results] == ["3"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, Kind.RATE_LIMIT),
        (401, Kind.AUTH),
        (404, Kind.NOT_FOUND),
        (503, Kind.OVERLOADED),
    ],
)
def test_a_refusal_is_told_once_and_with_its_structure(
    model: Model, ask: Ask, status: int, kind: Kind
) -> None:
    model.says(status)
    outcome = ask()
    assert isinstance(outcome, Evidence)
    verdict = classify(outcome)
    assert (outcome.status, verdict.kind) == (status, kind)
    assert len(model.seen) == 1
    if status == 429:
        assert verdict.retry_after_s == 7


def test_a_retry_after_a_refusal_asks_only_what_was_not_answered(
    world: World, model: Model, ask: Ask
) -> None:
    model.says(ADD, 429, "3")
    assert isinstance(ask(TOOLS), Evidence)
    limited = failure(Kind.RATE_LIMIT, "429")
    assert ask(TOOLS, messages=world.turns[-1].messages, last_failure=limited) == Success("3")
    assert len(model.seen) == 3
    assert (world.folder / "tools.py.calls").read_text() == "x"


def killed_after(world: World, note: int) -> Json:
    """Return what was durable when the process died right after this note."""
    turns = [turn for turn in world.turns[:note] if isinstance(turn, TurnDone)]
    world.notes.clear()
    return turns[-1].messages if turns else None


@pytest.mark.parametrize(
    ("note", "calls_left", "tool_runs"),
    [(1, ["3"], 2), (2, ["3"], 1), (3, [], 1)],
)
def test_a_killed_conversation_goes_on_from_its_last_turn(
    world: World, model: Model, ask: Ask, note: int, calls_left: list[str], tool_runs: int
) -> None:
    model.says(ADD, "3")
    ask(TOOLS)
    messages = killed_after(world, note)
    before = len(model.seen)
    model.says(*calls_left)
    assert ask(TOOLS, messages=messages) == Success("3")
    assert len(model.seen) - before == len(calls_left)
    assert len((world.folder / "tools.py.calls").read_text()) == tool_runs


def test_a_complaint_about_the_answer_goes_into_the_same_conversation(
    world: World, model: Model, ask: Ask
) -> None:
    model.says("not json", '{"x": 1}')
    output = OutputSpec("json")
    assert ask(output=output) == Success("not json")
    bad = failure(Kind.OUTPUT_FORMAT, "the output does not fit")
    again = ("Your answer was no JSON.",)
    messages = world.turns[-1].messages
    ask(output=output, messages=messages, last_failure=bad, prompt_additions=again)
    last = model.seen[1]["messages"]
    assert [m["role"] for m in last] == ["user", "assistant", "user"]
    assert "Your answer was no JSON." in last[-1]["content"]


def test_fresh_forgets(world: World, model: Model, ask: Ask) -> None:
    model.says("one", "two")
    ask()
    bad = failure(Kind.LOGIC, "wrong")
    ask({"session": "fresh"}, messages=world.turns[-1].messages, last_failure=bad)
    assert [m["role"] for m in model.seen[1]["messages"]] == ["user"]


def test_a_branch_asks_its_own_question_however_it_is_begun_again(
    world: World, model: Model, ask: Ask
) -> None:
    model.says("the plan")
    ask()
    plan = world.turns[-1].messages
    for _ in range(2):  # the second time as after a crash: its state folder is there, no turn is
        model.says("the work")
        assert ask({"session": "plan"}, messages=plan, branched=True) == Success("the work")
        assert [m["role"] for m in model.seen[-1]["messages"]] == ["user", "assistant", "user"]


def test_a_branch_that_was_refused_is_told_the_whole_task(
    world: World, model: Model, ask: Ask
) -> None:
    model.says("the plan", "the work")
    ask()
    told = {"session": "plan", "prompt": "carry it out " + "x" * 30_000}
    limited = failure(Kind.RATE_LIMIT, "too many")
    ask(told, messages=world.turns[-1].messages, branched=True, last_failure=limited)
    *_, last = model.seen[-1]["messages"]
    assert "too many" in last["content"]
    assert told["prompt"] in last["content"]


@pytest.mark.parametrize("note", [1, 2])
def test_a_branch_begins_at_the_last_answer(
    world: World, model: Model, ask: Ask, note: int
) -> None:
    model.says("ready", ADD, "3")
    ask()
    bad = failure(Kind.LOGIC, "wrong")
    ask(TOOLS, messages=killed_after(world, 1), last_failure=bad)
    cut_off = killed_after(world, note)
    model.says("the work")
    assert ask({"session": "plan"}, messages=cut_off, branched=True) == Success("the work")
    assert [m["role"] for m in model.seen[-1]["messages"]] == ["user", "assistant", "user"]


def test_a_tool_that_breaks_is_the_steps_failure(model: Model, ask: Ask) -> None:
    model.says([("broken", {})])
    outcome = ask({"tools": ["tools.py:broken"]})
    assert isinstance(outcome, Evidence)
    assert (outcome.channel, outcome.exception) == ("python", "KeyError")


def test_a_checkpoint_that_can_not_be_written_is_no_failure_of_the_step(
    world: World, model: Model, ask: Ask
) -> None:
    async def full(_note: object) -> None:
        raise NotWritable("the disk is full")

    model.says("fine")
    with pytest.raises(NotWritable):
        ask(note=full)


def test_max_turns(model: Model, ask: Ask) -> None:
    model.says(ADD, ADD, ADD)
    outcome = ask({**TOOLS, "max_turns": 2})
    assert isinstance(outcome, Evidence)
    assert len(model.seen) == 2
    assert classify(outcome).kind is Kind.LOGIC
    assert "max turns (2)" in outcome.text


def test_an_unknown_model_has_no_price(world: World, model: Model, ask: Ask) -> None:
    model.says("fine").name = "llama-of-my-own"
    ask({"model": "openai:llama-of-my-own"})
    assert world.turns[0].usage == Usage(100, 10, 1, None, "llama-of-my-own")


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({"model": "openai:gpt-5.1", "base_url": None}, Kind.AUTH, "OPENAI_API_KEY is not set"),
        ({"model": "openia:gpt-5.1"}, Kind.INVALID_CONFIG, "openia"),
        ({"model": "gpt-5.1"}, Kind.INVALID_CONFIG, "provider:name"),
        ({"api_key_env": "MY_KEY", "base_url": None}, Kind.AUTH, "MY_KEY"),
        ({"tools": ["nowhere:f"]}, Kind.MISSING_DEPENDENCY, "nowhere"),
    ],
)
def test_set_up_wrong(model: Model, ask: Ask, spec: dict[str, Any], kind: Kind, words: str) -> None:
    outcome = ask(spec, env={})
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is kind
    assert words in outcome.text
    assert not model.seen


def test_without_the_extra(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    for name in [name for name in sys.modules if name.startswith("agentrun.steps.agents.api_")]:
        monkeypatch.delitem(sys.modules, name)
    outcome = world.attempt({"model": "openai:gpt-5.1", "prompt": "x"})
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.MISSING_DEPENDENCY
    assert "pip install 'agentrun-cli[llm]'" in outcome.text


def test_an_mcp_server_is_started_used_and_ended(
    world: World, model: Model, ask: Ask, tmp_path: Path
) -> None:
    pytest.importorskip("fastmcp", reason="the package for MCP is not installed")
    server = tmp_path / "mcp_server.py"
    server.write_text(MCP_SERVER)
    told = {"command": sys.executable, "args": [str(server)], "env": {"SHELF": "full"}}
    model.says([("look_up", {"key": "it"})], "seen")
    assert ask({"mcp": {"shelf": told}}) == Success("seen")
    results = [m["content"] for m in model.seen[1]["messages"] if m["role"] == "tool"]
    assert "it is full" in results[0]
    listed = subprocess.run(["ps", "-ax", "-o", "args"], capture_output=True, text=True, check=True)
    assert str(server) not in listed.stdout


def test_a_web_page_is_no_answer_of_a_model(httpserver: HTTPServer, world: World) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data(
        "<html>welcome</html>", content_type="text/html"
    )
    spec = {"model": "openai:gpt-5.1", "base_url": httpserver.url_for("/v1"), "prompt": "x"}
    outcome = world.attempt(spec)
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.INVALID_CONFIG
    assert "is `base_url` right?" in outcome.text

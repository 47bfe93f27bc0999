"""The real CLIs against a model server on this machine. Slow: they are installed and started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.failure import Evidence, Kind
from agentrun.core.outcome import Success
from agentrun.failures.classify import classify
from tests.agents.real import ModelServer, environment, missing
from tests.agents.world import World, failure

pytestmark = pytest.mark.slow

ANSWERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"userMessage": "remember the number 4711"}, {"content": "so be it"}),
    ({"userMessage": "say alpha"}, {"content": "ALPHA", "usage": {"input_tokens": 1000, "output_tokens": 200}}),
    ({"userMessage": "take your time"}, {"content": "slowly " * 400, "latency": 100}),
    ({"userMessage": "bad key"}, {"error": {"message": "invalid x-api-key", "type": "authentication_error", "code": "invalid_api_key"}, "status": 401}),
    ({"userMessage": "no model"}, {"error": {"message": "model: foo does not exist", "type": "not_found_error", "code": "model_not_found"}, "status": 404}),
]  # fmt: skip
MODEL = {"gemini": "gemini-2.5-flash", "opencode": "local/gpt-5.1"}
OPENCODE = {
    "provider": {
        "local": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "local",
            "options": {"apiKey": "x"},
            "models": {"gpt-5.1": {}},
        }
    }
}
CLIS = ["claude", "codex", "gemini", "opencode"]
LIMITED = failure(Kind.RATE_LIMIT, "429: the first attempt was refused")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    if reason := missing("llmock"):
        pytest.skip(reason)
    with ModelServer(tmp_path_factory.mktemp("server"), ANSWERS) as running:
        yield running


@pytest.fixture
def real(tmp_path: Path) -> Callable[[str], World]:
    def world(cli: str) -> World:
        if reason := missing(cli):
            pytest.skip(reason)
        settings = {"OPENCODE_CONFIG_CONTENT": json.dumps(OPENCODE)}
        return World(tmp_path, environment(tmp_path / "home", **settings))

    return world


Real = Callable[[str], World]


def spec(cli: str, server: ModelServer, prompt: str, **more: Any) -> dict[str, Any]:
    url = server.url + ("/v1" if cli in {"codex", "opencode"} else "")
    # a small toolbox: the server's journal keeps no body above 64 KiB
    args = {"args": ["--tools", ""]} if cli == "claude" else {}
    model = {"model": MODEL[cli]} if cli in MODEL else {}
    return {"cli": cli, "prompt": prompt, "base_url": url, **args, **model, **more}


def last_conversation(server: ModelServer) -> str:
    return json.dumps(server.calls()[-1]["body"])


@pytest.mark.parametrize("cli", CLIS)
def test_an_answer_with_its_usage(real: Real, server: ModelServer, cli: str) -> None:
    world = real(cli)
    outcome = world.attempt(spec(cli, server, "say alpha"))
    assert isinstance(outcome, Success), outcome
    assert outcome.output == "ALPHA"
    assert outcome.usage is not None
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (1000, 200)
    assert outcome.session == world.sessions[-1]


@pytest.mark.parametrize("cli", CLIS)
def test_a_retry_goes_on_in_the_same_conversation(
    real: Real, server: ModelServer, cli: str
) -> None:
    world = real(cli)
    first = world.attempt(spec(cli, server, "remember the number 4711"))
    assert isinstance(first, Success), first
    second = world.attempt(
        spec(cli, server, "say alpha"), session=first.session, last_failure=LIMITED
    )
    assert isinstance(second, Success), second
    assert second.session == first.session
    said = last_conversation(server)
    assert said.index("4711") < said.index("so be it") < said.index("the first attempt was refused")


@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_the_token_of_an_mcp_server_reaches_it_and_no_command_line(
    real: Real, server: ModelServer, cli: str, tmp_path: Path
) -> None:
    world, token = real(cli), "t0ken $HOME 'x' \"y\""
    program = tmp_path / "server.sh"
    program.write_text(
        'printf "%s,%s" "$TOKEN" "$1" > seen.new; ps axww -o args > ps; mv seen.new seen'
    )
    told = {"command": "sh", "args": [str(program), "an argument"], "env": {"TOKEN": token}}
    world.attempt(spec(cli, server, "say alpha", mcp={"shelf": told}))
    assert (world.work / "seen").read_text() == f"{token},an argument"
    assert "t0ken" not in (world.work / "ps").read_text()


@pytest.mark.parametrize("cli", ["claude", "codex", "opencode"])
def test_another_steps_conversation_is_branched_off(
    real: Real, server: ModelServer, cli: str
) -> None:
    world = real(cli)
    plan = world.attempt(spec(cli, server, "remember the number 4711"))
    assert isinstance(plan, Success), plan
    (world.state / "agent.json").unlink()
    work = world.attempt(spec(cli, server, "say alpha", session="plan"), session=plan.session)
    assert isinstance(work, Success), work
    assert work.session != plan.session
    assert "4711" in last_conversation(server)


@pytest.mark.parametrize("cli", CLIS)
def test_a_lost_session_costs_no_attempt(real: Real, server: ModelServer, cli: str) -> None:
    world = real(cli)
    gone = "ses_11111111" if cli == "opencode" else "11111111-2222-4333-8444-555555555555"
    outcome = world.attempt(spec(cli, server, "say alpha"), session=gone, last_failure=LIMITED)
    assert isinstance(outcome, Success), outcome
    assert outcome.session != gone


@pytest.mark.parametrize("cli", CLIS)
def test_a_wrong_key(real: Real, server: ModelServer, cli: str) -> None:
    before = len(server.calls())
    outcome = real(cli).attempt(spec(cli, server, "bad key"))
    assert isinstance(outcome, Evidence)
    assert (classify(outcome).kind, outcome.status) == (Kind.AUTH, 401)
    for_a_title = 1 if cli == "opencode" else 0  # asked beside the work, often cut short by its end
    assert 1 <= len(server.calls()) - before <= 1 + for_a_title


@pytest.mark.parametrize("cli", ["claude", "codex", "gemini"])
@pytest.mark.parametrize(
    ("chaos", "kinds"),
    [
        ({"rateLimitRate": 1}, {Kind.RATE_LIMIT}),
        ({"dropRate": 1}, {Kind.OVERLOADED}),
        ({"malformedRate": 1}, {Kind.NETWORK, Kind.OUTPUT_FORMAT}),
        ({"disconnectRate": 1}, {Kind.NETWORK}),
    ],
)
def test_a_server_that_fails_is_asked_once(
    real: Real, server: ModelServer, cli: str, chaos: dict[str, float], kinds: set[Kind]
) -> None:
    world = real(cli)
    before = len(server.calls())
    server.chaos(**chaos)
    try:
        outcome = world.attempt(spec(cli, server, "say alpha"))
    finally:
        server.calm()
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind in kinds, outcome
    assert len(server.calls()) - before == 1


@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_nobody_listens(real: Real, server: ModelServer, cli: str) -> None:
    dead = spec(cli, server, "x", base_url="http://127.0.0.1:9/v1")
    outcome = real(cli).attempt(dead)
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.NETWORK


WORKFLOW = """
name: long
steps:
  - id: think
    agent:
      cli: {cli}
      base_url: {url}
      args: {args}
      prompt: "take your time, and remember the number 4711"
"""


@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_killed_while_it_works_then_resumed_in_the_same_session(
    real: Real, cli: str, tmp_path: Path
) -> None:
    world = real(cli)
    slow = [({"userMessage": "take your time"}, {"content": "slowly " * 50})]
    with ModelServer(tmp_path, slow, "-l", "100") as server:
        told = spec(cli, server, "")
        workflow = tmp_path / "long.yaml"
        args = json.dumps(told.get("args", []))
        workflow.write_text(WORKFLOW.format(cli=cli, url=told["base_url"], args=args))
        env = {**world.env, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-m", "agentrun"]
        run = subprocess.Popen(
            [*command, "run", str(workflow), "--task-id", "t"], cwd=tmp_path, env=env
        )
        while not server.calls():
            assert run.poll() is None, "it ended without asking"
            time.sleep(0.05)
        time.sleep(0.5)
        [(agent, session)] = running_agents(tmp_path)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        resume = subprocess.Popen(
            [*command, "resume", "t", "--json"], cwd=tmp_path, env=env, stdout=subprocess.PIPE
        )
        while len(server.calls()) < 2:
            assert len(alive(cli, tmp_path)) <= 1
            assert resume.poll() is None, "it ended without asking"
            time.sleep(0.05)
        assert not exists(agent)
        out, _ = resume.communicate(timeout=60)
        said = json.dumps(server.calls()[-1]["body"])
    assert json.loads(out)["status"] == "succeeded"
    assert "You were interrupted" in said
    assert said.index("4711") < said.index("You were interrupted")
    assert session in sessions_of(tmp_path)
    assert len(set(sessions_of(tmp_path))) == 1


def events(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "checkpoints" / "t" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line[line.index("{") : line.rindex("}") + 1]) for line in lines]


def flat(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from flat(inner)


def sessions_of(folder: Path) -> list[str]:
    return [
        each["session"] for event in events(folder) for each in flat(event) if each.get("session")
    ]


def running_agents(folder: Path) -> list[tuple[int, str]]:
    pids = [
        each["pid"]
        for event in events(folder)
        for each in flat(event)
        if each.get("type") == "process_noted"
    ]
    return list(zip(pids, sessions_of(folder), strict=False))


def exists(pid: int) -> bool:
    return (
        Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    )


def alive(cli: str, folder: Path) -> list[int]:
    """Return the agents of this test: processes whose home is its folder. What an agent forks is a
    copy of it until it begins another program, and no agent more.
    """
    mark = f"HOME={folder}/home".encode()
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            env = (entry / "environ").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        program = os.path.basename(words[0].decode())
        if program == cli and mark in env:
            found[int(entry.name)] = parent
    return [pid for pid, parent in found.items() if parent not in found]

"""An API agent killed in the middle of its conversation, by the whole of agentrun. Slow: processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.agents.real import environment
from tests.agents.test_model_api import Model

pytestmark = pytest.mark.slow

WORKFLOW = """
name: count
steps:
  - id: sum
    agent:
      model: openai:gpt-5.1
      base_url: {url}
      tools: ["tools.py:first", "tools.py:second"]
      prompt: add it all up
"""
BETWEEN = """
name: between
steps:
  - {{id: plan, agent: {{model: "openai:gpt-5.1", base_url: "{url}", prompt: make a plan}}}}
  - {{id: die, python: "tools.py:second"}}
  - {{id: work, agent: {{model: "openai:gpt-5.1", base_url: "{url}", prompt: do it, session: plan}}}}
"""
TOOLS = """
import os, signal
from pathlib import Path

HERE = Path(__file__).parent

def first() -> int:
    "The first number."
    with open(HERE / "first.calls", "a") as calls:
        calls.write("x")
    return 1

def second() -> int:
    "The second number."
    killed = HERE / "killed"
    if not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2
"""


def agentrun(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = environment(folder / "home", PYTHONPATH=str(Path(__file__).parents[2]))
    command = [sys.executable, "-m", "agentrun", *arguments, "--json"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_killed_between_two_steps_of_one_conversation(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    pytest.importorskip("pydantic_ai", reason="the extra [llm] is not installed")
    model = Model(httpserver).says("in three parts", "done")
    (tmp_path / "between.yaml").write_text(BETWEEN.format(url=model.url))
    (tmp_path / "tools.py").write_text(TOOLS)
    assert agentrun(tmp_path, "run", "between.yaml", "--task-id", "t").returncode == -9
    resumed = agentrun(tmp_path, "resume", "t")
    assert resumed.returncode == 0, resumed.stderr
    said = [message["content"] for message in model.seen[1]["messages"]]
    assert said == ["make a plan", "in three parts", "do it"]
    assert len(model.seen) == 2


def test_a_killed_conversation_asks_nothing_twice(tmp_path: Path, httpserver: HTTPServer) -> None:
    pytest.importorskip("pydantic_ai", reason="the extra [llm] is not installed")
    model = Model(httpserver).says([("first", {})], [("second", {})], "3")
    (tmp_path / "count.yaml").write_text(WORKFLOW.format(url=model.url))
    (tmp_path / "tools.py").write_text(TOOLS)
    assert agentrun(tmp_path, "run", "count.yaml", "--task-id", "t").returncode == -9
    assert len(model.seen) == 2
    resumed = agentrun(tmp_path, "resume", "t")
    assert resumed.returncode == 0, resumed.stderr
    result = json.loads(resumed.stdout)
    assert result["outputs"] == "3"
    assert len(model.seen) == 3
    assert (tmp_path / "first.calls").read_text() == "x"
    assert result["usage"]["tokens"] == 3 * 110

"""The multi-agent workflows, with the real Claude Code and Codex against a local model server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agents.real import ModelServer, environment, missing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Answers = list[tuple[dict[str, Any], dict[str, Any]]]


class Run:
    def __init__(self, folder: Path, server: ModelServer) -> None:
        self.folder = folder
        self.server = server
        self.env = environment(folder / "home", ANTHROPIC_BASE_URL=server.url, PYTHONPATH=str(ROOT))
        self.env["PATH"] = f"{Path(sys.executable).parent}:{self.env['PATH']}"
        codex = folder / "home" / ".codex"
        codex.mkdir()
        (codex / "config.toml").write_text(
            'model_provider = "local"\n[model_providers.local]\nname = "local"\n'
            f'base_url = "{server.url}/v1"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\n'
        )
        self.repo = folder / "repo"
        self.repo.mkdir()
        (self.repo / "a.txt").write_text("one\n")
        self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-qm", "first")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(
            command, cwd=self.repo, check=True, capture_output=True, text=True
        ).stdout

    def workflow(self, name: str, **inputs: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "agentrun", "--checkpoints", str(self.folder / "c"), "run"]
        command += [str(ROOT / "workflows" / name), "--json"]
        for key, value in inputs.items():
            command += ["-i", f"{key}={value}"]
        done = subprocess.run(
            command, cwd=self.repo, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.stdout, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == 0, (result, done.stderr)
        return result


@pytest.fixture
def start(tmp_path: Path) -> Callable[[Answers], ModelServer]:
    if reason := missing("llmock", "claude", "codex"):
        pytest.skip(reason)
    return lambda answers: ModelServer(tmp_path, answers)


Start = Callable[[Answers], ModelServer]


def writes(path: str, content: str) -> dict[str, Any]:
    arguments = json.dumps({"file_path": path, "content": content})
    return {"toolCalls": [{"name": "Write", "arguments": arguments}]}


def test_plan_implement_review_fix_until_approved(tmp_path: Path, start: Start) -> None:
    repo = tmp_path / "repo"
    remarks = {"verdict": "change", "remarks": ["the greeting is missing"]}
    approved = {"verdict": "approve", "remarks": []}
    implement = "The plan:"
    answers: Answers = [
        ({"userMessage": "Plan this change"}, {"content": "1. write hello.txt"}),
        ({"userMessage": implement, "hasToolResult": True}, {"content": "written"}),
        ({"userMessage": implement, "sequenceIndex": 0}, writes(f"{repo}/hello.txt", "hi\n")),
        ({"userMessage": implement}, writes(f"{repo}/greeting.txt", "hello\n")),
        ({"userMessage": "Review the uncommitted", "sequenceIndex": 0}, {"content": json.dumps(remarks)}),
        ({"userMessage": "Review the uncommitted"}, {"content": json.dumps(approved)}),
    ]  # fmt: skip
    with start(answers) as server:
        run = Run(tmp_path, server)
        result = run.workflow(
            "build_until_approved.yaml", task="Say hello", test="test -e hello.txt"
        )
    assert result["outputs"] == {"plan": "1. write hello.txt", "verdict": "approve"}
    assert (repo / "hello.txt").read_text() == "hi\n"
    assert (repo / "greeting.txt").read_text() == "hello\n"
    assert not (repo / "REVIEW.md").exists()


def test_fan_out_with_a_judge(tmp_path: Path, start: Start) -> None:
    answers: Answers = []
    for number, approach in enumerate(["smallest", "clearest"]):
        words = f"go for this: {approach}"
        shell = {"command": f"echo {approach} >> a.txt", "description": "append"}
        call = {"toolCalls": [{"name": "Bash", "arguments": json.dumps(shell)}]}
        answers.append(
            ({"userMessage": words, "hasToolResult": True}, {"content": f"did {number}"})
        )
        answers.append(({"userMessage": words}, call))
    verdict = {"winner": 1, "reason": "it is clear"}
    answers.append(({"userMessage": "Pick the best"}, {"content": json.dumps(verdict)}))
    with start(answers) as server:
        run = Run(tmp_path, server)
        # `edit` lets Claude Code write files by itself, not run commands: let it in the test
        settings = run.folder / "home" / ".claude"
        settings.mkdir(exist_ok=True)
        allowed = {"permissions": {"allow": ["Bash(echo:*)", "Bash"]}}
        (settings / "settings.json").write_text(json.dumps(allowed))
        approaches = json.dumps(["smallest", "clearest"])
        result = run.workflow("best_of.yaml", task="Append a word", approaches=approaches)
        said = json.dumps(server.calls()[-1]["body"])
    assert "+clearest" in result["outputs"]
    assert "+smallest" in said
    assert (run.repo / "a.txt").read_text() == "one\n"


@pytest.mark.parametrize("claude_is_there", [True, False])
def test_two_agents_and_a_fallback(tmp_path: Path, start: Start, claude_is_there: bool) -> None:
    critique = {"severity": "minor", "points": ["no numbers"]}
    answers: Answers = [
        ({"userMessage": "Name what is wrong"}, {"content": json.dumps(critique)}),
        ({"userMessage": "A colleague has read"}, {"content": "revised by the first"}),
        ({"userMessage": "Improve this answer"}, {"content": "revised by the second"}),
        ({"userMessage": "Answer in at most ten"}, {"content": "perhaps"}),
    ]
    with start(answers) as server:
        run = Run(tmp_path, server)
        if not claude_is_there:
            run.env["ANTHROPIC_API_KEY"] = ""
            stub = tmp_path / "bin" / "claude"
            stub.parent.mkdir()
            stub.write_text("#!/bin/sh\necho 'Not logged in' >&2\nexit 1\n")
            stub.chmod(0o755)
            run.env["PATH"] = f"{stub.parent}:{run.env['PATH']}"
        result = run.workflow("second_opinion.yaml", question="Shard?")
    who = "first" if claude_is_there else "second"
    assert result["outputs"] == {"answer": f"revised by the {who}", "severity": "minor"}

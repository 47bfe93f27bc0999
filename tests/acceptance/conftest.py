"""The real command, as a person uses it: a folder, a file, a command line, what comes out."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "agentrun"]
PATIENCE_S = 60


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def id(self) -> str:
        return str(self.json["task_id"])


class Shop:
    """A folder in which commands are typed, with settings and programs of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env = {
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(folder / ".cache"),
        }

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
        return path

    def program(self, name: str, text: str) -> Path:
        """Put a program on the PATH."""
        path = self.bin / name
        path.write_text(dedent(text).lstrip())
        path.chmod(0o755)
        return path

    def claude(self, *answers: object) -> None:
        """Put a Claude on the PATH that keeps its prompts and environment, and gives these answers
        one after the other.
        """
        for number, answer in enumerate(answers, 1):
            text = answer if isinstance(answer, str) else json.dumps(answer)
            usage = {"input_tokens": 100, "output_tokens": 20}
            line = {"type": "result", "subtype": "success", "is_error": False, "result": text}
            line |= {"session_id": "s-1", "num_turns": 1, "total_cost_usd": 0.25, "usage": usage}
            (self.bin / f"answer.{number}").write_text(json.dumps(line) + "\n")
        self.program("claude", f"""
            #!/bin/sh
            cd {self.bin}
            n=1; while [ -e prompt.$n ]; do n=$((n + 1)); done
            env > env.$n; cat > prompt.$n
            while [ ! -e answer.$n ]; do n=$((n - 1)); done
            cat answer.$n
        """)  # fmt: skip

    def prompt(self, number: int = 1) -> str:
        return (self.bin / f"prompt.{number}").read_text()

    def __call__(self, *args: str, stdin: str = "", cwd: Path | None = None, **env: Any) -> Ran:
        done = subprocess.run(
            [*COMMAND, *args],
            cwd=cwd or self.folder,
            env=self.env | env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a command and leave it to itself."""
        return subprocess.Popen(
            [*COMMAND, *args],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def until(self, holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
        """Wait for what the command brings about; fail when it ends without."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert process.poll() is None, f"it has ended with {process.returncode}"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def run(self, text: str, *args: str, **env: Any) -> Ran:
        """Run a workflow given as text, with the events in `events` and the result as JSON."""
        self.write("flow.yaml", text)
        ran = self("run", "flow.yaml", "--json", "--events", "events", *args, **env)
        assert ran.code != 2, ran.err
        return ran

    def refused(self, text: str) -> str:
        """Validate a workflow that is wrong; return what is said about it."""
        self.write("flow.yaml", text)
        ran = self("validate", "flow.yaml")
        assert ran.code == 2, ran.err
        return ran.err + ran.out

    def resume(self, ran: Ran, *args: str, **env: Any) -> Ran:
        return self("resume", ran.id, "--json", "--events", "events", *args, **env)

    def events(self, *types: str) -> list[dict[str, Any]]:
        lines = (self.folder / "events").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [each for each in found if not types or each["type"] in types]

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def failure(self, ran: Ran, step: str) -> dict[str, Any]:
        """Return what the last failure of a step was."""
        found = [each for each in self.events("step_failed") if each["step"] == step]
        assert found, ran
        failure: dict[str, Any] = found[-1]["failure"]
        return failure

    def disk(self) -> bytes:
        """Return all that stands in the checkpoint folder."""
        root = self.folder / "checkpoints"
        return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


Serve = Callable[..., str]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    assert "AGENTRUN_TASK_ID" not in os.environ
    return Shop(tmp_path)

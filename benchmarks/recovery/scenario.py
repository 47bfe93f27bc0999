"""Scenarios as data, and the place each one runs in.

A scenario is one line of `scenarios/*.yaml`: `steps` (and `limits`, `breakers`) are the workflow;
`server` scripts what its server answers, `files` are there and `setup` is run before, `kill` ends
agentrun when the file `now` appears, `then` is what is typed next; `expect` is the ending, `output`
the result, `calls` how many calls the server gets, `check` a command that must work afterwards.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from server import Server

HERE = Path(__file__).parent
Ending = Literal["recovered", "continued", "halted", "parked", "escalated", "failed", "stuck"]
"""`continued` is a success although a step was lost (`continue_on_error`)."""
WORKFLOW_KEYS = ("limits", "breakers", "env")


@dataclass(frozen=True)
class Scenario:
    """One line of the data."""

    name: str
    steps: list[dict[str, Any]]
    expect: Ending
    server: dict[str, list[Any]] | None = None
    setup: str = ""
    files: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    breakers: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    kill: str = ""
    then: list[str] = field(default_factory=list)
    output: Any = None
    calls: int | None = None
    check: str = ""


@dataclass
class Outcome:
    """How a scenario ended, and whether that is how it should."""

    ending: Ending
    seconds: float
    wrong: str = ""
    attempts: int = 0
    calls: int = 0
    refused: int = 0
    folder: str = ""


def load(only: str = "") -> list[Scenario]:
    """Return all scenarios whose name holds `only`."""
    lines = [
        entry
        for path in sorted((HERE / "scenarios").glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text())
    ]
    return [Scenario(**line) for line in lines if only in line["name"]]


@dataclass(frozen=True)
class Place:
    """A folder of its own, a server, a port, an environment."""

    folder: Path
    workflow: dict[str, Any]
    env: dict[str, str]
    server: Server | None

    def shell(self, command: str) -> int:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.env, capture_output=True, check=False
        )
        return done.returncode


@contextlib.contextmanager
def place(scenario: Scenario) -> Iterator[Place]:
    """Make the place of a scenario, and clear it away."""
    server = (
        Server({p: [str(a) for a in s] for p, s in scenario.server.items()})
        if scenario.server is not None
        else None
    )
    with tempfile.TemporaryDirectory(prefix="recovery-") as made:
        folder = Path(made)
        for name, text in scenario.files.items():
            (folder / name).write_text(text)
        url = server.url if server else ""
        names = {"@URL@": url, "@HOST@": url.removeprefix("http://"), "@PORT@": str(_free_port())}
        workflow = {"name": "scenario", "steps": scenario.steps} | {
            key: getattr(scenario, key) for key in WORKFLOW_KEYS if getattr(scenario, key)
        }
        env = {**os.environ, "PATH": f"{HERE / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        for inherited in ("TMPDIR", "AGENTRUN_CHECKPOINTS"):
            env.pop(inherited, None)
        found = Place(folder, _filled(workflow, names), env, server)
        setup = _filled(scenario.setup, names)
        background = subprocess.Popen(
            ["bash", "-c", setup or ":"], cwd=folder, env=env, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        background.wait()
        try:
            yield found
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(background.pid, signal.SIGKILL)
            if server:
                server.stop()


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(name, text)
        return value
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    return value


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

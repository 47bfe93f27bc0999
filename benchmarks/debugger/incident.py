"""Incidents as data, and one run of one by the real command."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from agentrun.core import events as ev
from agentrun.store.manager import CheckpointManager

HERE = Path(__file__).parent
Ending = Literal["cured", "escalated", "failed", "parked", "stuck"]
CURED: Ending = "cured"
ENDINGS: dict[int, Ending] = {0: "cured", 1: "failed", 3: "escalated", 75: "parked"}
PATIENCE_S = 60.0
UNSAFE = {"edit_file", "run_command"}
AGENT = """\
import sys
sys.stdin.read()
open("asked", "a").write("x\\n")
print(open("answer.json").read())
"""


@dataclass(frozen=True)
class Incident:
    """One entry of incidents.yaml; its head says what the keys mean."""

    name: str
    class_: str
    steps: list[dict[str, Any]]
    rules: Ending
    agent: Ending | None = None
    answer: Any = None
    autofix: str = "safe"
    output: Any = None
    check: str = ""
    setup: str = ""
    files: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    before: int = 0
    later: dict[str, Any] = field(default_factory=dict)

    @property
    def with_agent(self) -> Ending:
        return self.agent or self.rules


@dataclass
class Ended:
    """How it ended, and by whom the last fix was proposed. `seconds` is the time from the incident
    to the choice of its fix, `wall_s` that of the whole command; `memory` is what was learnt.
    """

    ending: Ending
    seconds: float = 0.0
    wall_s: float = 0.0
    by: str = ""
    asked: int = 0
    wrong_kept: bool = False
    unsafe: int = 0
    problem: str = ""
    memory: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.ending} {f'({self.by})' if self.by else ''}"


def load(only: str) -> list[Incident]:
    """Return the incidents whose name holds a text."""
    found = yaml.safe_load((HERE / "incidents.yaml").read_text())
    return [Incident(class_=one.pop("class"), **one) for one in found if only in one["name"]]


def run(incident: Incident, *, agent: bool, memory: dict[str, bytes] | None = None) -> Ended:
    """Run it in a folder of its own."""
    with _place(incident, agent=agent) as folder:
        for _ in range(0 if memory else incident.before):
            _type(folder)
        shared = folder / "checkpoints" / ".agentrun"
        for name, data in (memory or {}).items():
            shared.mkdir(parents=True, exist_ok=True)
            (shared / name).write_bytes(data)
        if incident.setup:
            subprocess.run(["bash", "-c", _filled(incident.setup)], cwd=folder, check=True)
        began = time.monotonic()
        code, said = _type(folder)
        ended = Ended(ENDINGS.get(code, "stuck"), wall_s=time.monotonic() - began)
        _judge(incident, folder, said, ended, agent=agent)
        if shared.exists():
            files = [each for each in shared.iterdir() if each.suffix == ".json"]
            ended.memory = {each.name: each.read_bytes() for each in files}
        return ended


def again(incident: Incident, first: Ended) -> Ended:
    """Run it anew, with nothing but what was learnt; where it says so, with other inputs, for which
    what was learnt is wrong.
    """
    if incident.later:
        incident = replace(incident, answer=None, agent=None, **incident.later)
    return run(incident, agent=True, memory=first.memory)


def _judge(
    incident: Incident, folder: Path, said: dict[str, Any], ended: Ended, *, agent: bool
) -> None:
    manager = CheckpointManager(folder / "checkpoints")
    records = manager.read(str(said["task_id"])).records
    applied = [r.event for r in records if isinstance(r.event, ev.FixApplied)]
    autofix = incident.autofix if agent else "safe"
    ended.by = applied[-1].analyst if applied and ended.ending == CURED else ""
    ended.unsafe = sum(a.fix["type"] in UNSAFE for a in applied) if autofix != "full" else 0
    ended.seconds = _decided_in(records)
    asked = folder / "asked"
    ended.asked = len(asked.read_text().split()) if asked.exists() else 0
    expected = incident.with_agent if agent else incident.rules
    right = said["outputs"] == incident.output
    ended.wrong_kept = ended.ending == CURED and not (right and CURED in {expected, incident.rules})
    held = not incident.check or _succeeds(incident.check, folder)
    if ended.ending != expected or ended.wrong_kept or not held:
        error = said.get("error") or {}
        ended.problem = (
            f"{incident.name} ({'agent' if agent else 'rules'}): {ended.ending}, not {expected};"
            f" output {said['outputs']!r}; check {'held' if held else 'FAILED'};"
            f" {error.get('kind')}: {str(error.get('message'))[:150]};"
            f" fixes {[dict(a.fix) for a in applied]}"
        )


def _succeeds(command: str, folder: Path) -> bool:
    return subprocess.run(["bash", "-c", command], cwd=folder, check=False).returncode == 0


def _decided_in(records: Sequence[ev.Recorded]) -> float:
    """Return the longest time between an incident and the fix that was chosen for it."""
    opened: dict[str, float] = {}
    longest = 0.0
    for recorded in records:
        event = recorded.event
        if isinstance(event, ev.IncidentOpened):
            opened[event.step] = recorded.time
        elif isinstance(event, ev.FixApplied) and event.step in opened:
            longest = max(longest, recorded.time - opened[event.step])
    return longest


@contextmanager
def _place(incident: Incident, *, agent: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="incident-"))
    try:
        for name, text in incident.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        debugger: dict[str, Any] = {"autofix": incident.autofix if agent else "safe"}
        if agent:
            cli = {"command": f"{sys.executable} agent.py", "prompt": "stdin", "format": "text"}
            debugger["agent"] = {"cli": cli}
            answer = incident.answer or {"cause": "not known", "confidence": 0.0, "fixes": []}
            text = answer if isinstance(answer, str) else json.dumps(answer)
            (folder / "answer.json").write_text(text)
            (folder / "agent.py").write_text(AGENT)
        workflow = {
            "name": "incident",
            "inputs": {n: {"type": "string", "default": v} for n, v in incident.inputs.items()},
            "debugger": debugger,
            "steps": incident.steps,
        }
        text = yaml.safe_dump(workflow, sort_keys=False)
        (folder / "w.yaml").write_text(_filled(text))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _filled(text: str) -> str:
    """Put a port that was free, always the same, in place of @PORT@."""
    return text.replace("@PORT@", _port()) if "@PORT@" in text else text


def _type(folder: Path) -> tuple[int, dict[str, Any]]:
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(folder / ".cache")}
    env.pop("TERM", None)
    done = subprocess.run(
        [sys.executable, "-m", "agentrun", "run", "w.yaml", "--json"],
        cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"{folder.name}: {done.stderr[-2000:]}\n{done.stdout[-500:]}") from None

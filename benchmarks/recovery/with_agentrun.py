"""Run a scenario with agentrun, as a person would: the command, a kill, `resume`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from scenario import Ending, Outcome, Place, Scenario

from agentrun.recovery.metrics import Counts, count, total
from agentrun.store.manager import CheckpointManager

PATIENCE_S = 90.0
ENDINGS: dict[int, Ending] = {0: "recovered", 1: "halted", 75: "parked", 3: "escalated"}
COMMAND = [sys.executable, "-m", "agentrun"]


def run(scenario: Scenario, where: Place) -> tuple[Outcome, Counts]:
    """Run it to its end and compare."""
    (where.folder / "w.yaml").write_text(yaml.safe_dump(where.workflow, sort_keys=False))
    began = time.monotonic()
    code, said, errors = _type(where, ["run", "w.yaml", "--json"], scenario.kill)
    for word in scenario.then:
        killed = scenario.kill if word == "resume-killed" else ""
        if killed:
            (where.folder / "now").unlink(missing_ok=True)
        code, said, errors = _type(where, ["resume", "latest", "--json"], killed)
    outcome = Outcome(ENDINGS.get(code, "failed"), time.monotonic() - began)
    if code is None:
        outcome.ending = "stuck"
    if where.server:
        outcome.calls, outcome.refused = where.server.calls, where.server.refused
    outcome.wrong = _compared(scenario, where, outcome, said, errors)
    counts = _counted(where)
    outcome.attempts = counts.attempts
    return outcome, counts


def _type(where: Place, words: list[str], kill: str) -> tuple[int | None, dict[str, Any], str]:
    now = where.folder / "now"
    process = subprocess.Popen(
        [*COMMAND, *words], cwd=where.folder, env=_env(where), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if kill:
        deadline = time.monotonic() + PATIENCE_S
        while not now.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(getattr(signal, f"SIG{kill}"))
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return None, {}, err
    try:
        return process.returncode, json.loads(out or "{}"), err
    except ValueError:
        return process.returncode, {}, err + out


def _env(where: Place) -> dict[str, str]:
    root = Path(__file__).parents[2]
    return where.env | {"PYTHONPATH": f"{root}:{os.environ.get('PYTHONPATH', '')}"}


def _compared(
    scenario: Scenario, where: Place, outcome: Outcome, said: dict[str, Any], errors: str
) -> str:
    if scenario.expect == "continued" and outcome.ending == "recovered":
        outcome.ending = "continued"
    if outcome.ending != scenario.expect:
        error = said.get("error") or {}
        why = f"{error.get('kind')}: {error.get('message')}" if error else errors.strip()[-300:]
        return f"expected {scenario.expect}; {why}"
    if outcome.ending in {"recovered", "continued"} and scenario.output is not None:
        outputs = said.get("outputs")
        if outputs != scenario.output:
            return f"output {outputs!r}, expected {scenario.output!r}"
    if scenario.calls is not None and outcome.calls != scenario.calls:
        return f"{outcome.calls} calls, expected {scenario.calls}"
    if scenario.check and where.shell(scenario.check):
        return f"afterwards `{scenario.check}` does not hold"
    return ""


def _counted(where: Place) -> Counts:
    manager = CheckpointManager(where.folder / "checkpoints")
    return total(count(manager.read(task_id).records) for task_id in manager.ids())

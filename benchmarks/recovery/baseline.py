"""The baseline: everything is tried three times, a second apart, whatever went wrong.

What most scripts do. It reads JSON strictly, keeps nothing across a kill (it starts again from the
first step), and its only ending beside success is failure.
"""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from scenario import Outcome, Place, Scenario

ATTEMPTS = 3
PAUSE_S = 1.0
TIMEOUT_S = 10.0
STARTS_AGAIN = 1


class Failed(Exception):
    """An attempt, or a step after three of them, did not work."""


class Killed(Exception):
    """The process was killed: all it knew is gone."""


def run(scenario: Scenario, where: Place) -> Outcome:
    """Run the steps in order; compare the last one's output."""
    began, counter = time.monotonic(), [0]
    wrong, result = "", None
    for _ in range(1 + len(scenario.then)):
        try:
            result = _workflow(where, counter, kill=bool(scenario.kill))
            wrong = ""
            break
        except (Failed, Killed) as error:
            wrong = str(error)
    outcome = Outcome("failed" if wrong else "recovered", time.monotonic() - began)
    outcome.attempts, outcome.wrong = counter[0], wrong
    if where.server:
        outcome.calls, outcome.refused = where.server.calls, where.server.refused
    if outcome.ending == "recovered":
        if scenario.expect != "recovered":
            outcome.wrong = f"expected {scenario.expect}"
        elif scenario.output is not None and result != scenario.output:
            outcome.ending, outcome.wrong = "failed", f"output {result!r}"
        elif scenario.check and where.shell(scenario.check):
            outcome.ending, outcome.wrong = "failed", "a step was repeated"
    elif not outcome.wrong:
        outcome.wrong = "failed"
    return outcome


def _workflow(where: Place, counter: list[int], *, kill: bool) -> Any:
    outputs: dict[str, Any] = {}
    result = None
    for step in where.workflow["steps"]:
        items = step.get("for_each")
        if items is None:
            result = _step(step, where, outputs, counter, kill=kill)
        else:
            found = list(range(100)) if isinstance(items, str) else items
            result = [
                _step(step, where, outputs | {"item": item}, counter, kill=kill) for item in found
            ]
        outputs[step["id"]] = result
    return result


def _step(
    step: dict[str, Any], where: Place, outputs: dict[str, Any], counter: list[int], *, kill: bool
) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        counter[0] += 1
        try:
            return _read(step, _attempt(step, where, outputs, kill=kill))
        except Failed:
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError


def _attempt(step: dict[str, Any], where: Place, outputs: dict[str, Any], *, kill: bool) -> str:
    timeout = float(str(step.get("timeout", TIMEOUT_S)).removesuffix("ms").removesuffix("s"))
    if str(step.get("timeout", "")).endswith("ms"):
        timeout /= 1000
    if "http" in step:
        return _request(step["http"], timeout)
    if "run" in step:
        command = ["bash", "-euo", "pipefail", "-c", _rendered(step["run"], outputs)]
    elif "agent" in step:
        prompt = _rendered(step["agent"]["prompt"], outputs)
        command = [word.replace("{prompt}", prompt) for word in step["agent"]["cli"]["command"]]
    else:
        raise Failed("only a person can answer")
    stdin = _rendered(step["stdin"], outputs) if "stdin" in step else None
    env = where.env | {str(k): str(v) for k, v in step.get("env", {}).items()}
    try:
        process = subprocess.Popen(
            command, cwd=where.folder, env=env, text=True, errors="replace", stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Failed(str(error)) from error
    return _ended(step, process, stdin, timeout, where.folder / "now" if kill else None)


def _ended(
    step: dict[str, Any],
    process: "subprocess.Popen[str]",
    stdin: str | None,
    timeout: float,
    now: Path | None,
) -> str:
    import os
    import signal

    try:
        out, err = process.communicate(stdin, timeout=1.5 if now else timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if now and now.exists():
            raise Killed("killed") from None
        raise Failed("timed out") from None
    if process.returncode:
        raise Failed(err.strip()[-200:] or f"exit {process.returncode}")
    if "agent" in step:
        try:
            return str(json.loads(out)["result"])
        except (ValueError, KeyError) as error:
            raise Failed(f"no answer: {error}") from error
    return out.removesuffix("\n")


def _request(spec: Any, timeout: float) -> str:
    spec = spec if isinstance(spec, dict) else {"url": spec}
    body = json.dumps(spec["json"]).encode() if "json" in spec else None
    request = urllib.request.Request(spec["url"], body, method=spec.get("method", "GET"))
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise Failed(str(error)) from error
    except Exception as error:  # http.client has a family of its own
        raise Failed(repr(error)) from error


def _rendered(text: str, outputs: dict[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        words = found[1].strip()
        if words == "item":
            return str(outputs["item"])
        output = outputs[words.split(".")[1]]
        return str(len(output) if "length" in words else output)

    return re.sub(r"\$\{\{(.*?)\}\}", value, text)


def _read(step: dict[str, Any], text: str) -> Any:
    bare = "json" if "http" in step and text[:1] in "{[" else "text"
    form = step.get("output", bare)
    if form == "text":
        return text
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Failed(f"not JSON: {error}") from error
    if isinstance(form, dict):
        for name, wanted in form.items():
            allowed = wanted.get("enum") if isinstance(wanted, dict) else None
            if name not in value or (allowed and value[name] not in allowed):
                raise Failed(f"{name} does not fit")
    return value

"""What `doctor` looks at: the machine, and what one workflow needs of it.

Nothing of the workflow is run or imported. What is only likely (a command's first word may be a
function of the shell) is a warning.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from agentrun.core.model import Step, Workflow
from agentrun.foresight import first_that_exists, first_word
from agentrun.report import words
from agentrun.report.check_view import Check

MIN_FREE_BYTES = 1 << 30
OLDEST_PYTHON = (3, 11)
VERSION_TIMEOUT_S = 10.0


def of_machine(root: Path) -> Iterator[Check]:
    """Check what every run needs."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= OLDEST_PYTHON
    yield Check("python", "ok" if good else "bad", version, "3.11 or newer is needed")
    yield _folder(root)
    yield _disk(root)
    yield program("bash", "bad")


def _folder(root: Path) -> Check:
    shown, place = os.fspath(root), first_that_exists(root)
    if not place.is_dir():
        return Check("checkpoints", "bad", f"{place} is not a folder", "--checkpoints DIR")
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("checkpoints", "bad", f"{shown} can't be written", "--checkpoints DIR")
    state = "is writable" if root.exists() else "will be made"
    return Check("checkpoints", "ok", f"{shown} {state}")


def _disk(root: Path) -> Check:
    free = shutil.disk_usage(first_that_exists(root)).free
    enough = free >= MIN_FREE_BYTES
    text = f"{words.size(free)} free"
    return Check("disk", "ok" if enough else "warning", text, "logs and values may need more")


def program(name: str, missing: Literal["warning", "bad"], used_by: str = "") -> Check:
    """Check that a program is found; `missing` is the state when it is not."""
    path = shutil.which(name)
    where = f" (step {used_by})" if used_by else ""
    if path is not None:
        return Check("program", "ok", f"{name}{where}: {path}")
    return Check("program", missing, f"{name}{where} is not found on PATH", f"install {name}")


def _version(name: str) -> Iterator[Check]:
    """Say which version of an agent's CLI is installed. Nothing of the workflow is run."""
    path = shutil.which(name)
    if path is None:
        return
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        yield Check("version", "warning", f"{name} does not tell its version", f"{name} --version")
        return
    told = next(iter((done.stdout or done.stderr).splitlines()), "")
    yield Check("version", "ok", f"{name} {told.removeprefix(name).strip()}")


def of_workflow(file: Path) -> Iterator[Check]:
    """Check what one workflow needs. Raises InvalidWorkflow when it is not valid."""
    from agentrun.workflow.cache import load_cached

    workflow = load_cached(file)
    count = words.plural(len(workflow.steps), "step")
    yield Check("workflow", "ok", f"{workflow.name}: valid, {count}")
    yield from _needs(workflow, file.resolve().parent)


def _needs(workflow: Workflow, folder: Path) -> Iterator[Check]:
    for name in workflow.secrets:
        good = bool(os.environ.get(name))
        text = f"{name} is {'set' if good else 'not set'}"
        yield Check("secret", "ok" if good else "bad", text, f"export {name}=...")
    seen: set[Check] = set()
    for step in workflow.steps:
        for check in _of_step(step, folder):
            if check not in seen:
                seen.add(check)
                yield check
    for path, below in workflow.subworkflows.items():
        yield from _needs(below, (folder / path).parent)


def _of_step(step: Step, folder: Path) -> Iterator[Check]:
    spec = step.spec
    if step.kind == "agent" and isinstance(spec.get("cli"), str):
        yield program(str(spec["cli"]), "bad", step.id)
        yield from _version(str(spec["cli"]))
    if step.kind == "run":
        word = first_word(spec.get("run") or spec.get("command"))
        if word is not None:
            yield program(word, "warning", step.id)
        shell = spec.get("shell")
        if isinstance(shell, str) and shell.isalnum() and shell != "bash":
            yield program(shell, "bad", step.id)
    for name in _files(step):
        path = folder / name
        good = path.is_file()
        text = f"{name} (step {step.id}) {'is there' if good else 'is missing'}"
        yield Check("file", "ok" if good else "bad", text, f"looked for at {path}")


def _files(step: Step) -> Iterator[str]:
    prompt = step.spec.get("prompt_file")
    if isinstance(prompt, str) and "${{" not in prompt:
        yield prompt
    for value in step.spec.values():
        if step.kind == "python" and isinstance(value, str):
            file, colon, _ = value.rpartition(":")
            if colon and file.endswith(".py"):
                yield file

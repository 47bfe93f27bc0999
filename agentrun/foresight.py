"""Reasons to doubt a run that can be seen before it begins: the quick checks that `run` makes.

Looks at programs, disk, breakers and history; uses no network and starts nothing. `doctor` checks
more (cli/checks.py).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from agentrun.core.model import Json, Workflow
from agentrun.recovery import history
from agentrun.store.manager import CheckpointManager
from agentrun.store.shared import SHARED

LOW_DISK_BYTES = 256 << 20
_SHELL_WORDS = frozenset(
    {"if", "for", "while", "until", "case", "function", "select", "time", "source", "cd", "echo"}
    | {"printf", "export", "set", "unset", "local", "declare", "read", "test", "true", "false"}
    | {"exit", "return", "eval", "exec", "trap", "wait", "shift", "let", "umask", "alias", "type"}
    | {"command", "builtin", "pushd", "popd", "mapfile", "ulimit", "kill", "coproc", "readonly"}
)


def warnings(workflow: Workflow, manager: CheckpointManager, now: float) -> list[str]:
    """Return what a person should know before the run, most pressing first."""
    return [
        *_disk(Path(manager.root)),
        *_programs(workflow),
        *(f"{name}: its breaker is open for another {left_s:.0f} s" for name, left_s in
          open_breakers(manager, workflow, now)),
        *_failing(workflow, manager),
    ]  # fmt: skip


def open_breakers(
    manager: CheckpointManager, workflow: Workflow | None, now: float
) -> Iterator[tuple[str, float]]:
    """Yield the components whose breaker is open now, and for how much longer."""
    policies = {} if workflow is None else workflow.breakers
    folder = Path(manager.root) / SHARED
    try:
        names = sorted(each for each in os.listdir(folder) if each.startswith("component-"))
    except OSError:
        return
    files = [each for each in names if each.endswith(".json")]
    if not files:
        return
    import msgspec

    from agentrun.core import breaker
    from agentrun.core.model import BreakerPolicy
    from agentrun.recovery.breakers import Known

    for name in files:
        try:
            known = msgspec.convert(manager.shared.read(name.removesuffix(".json")), Known)
        except msgspec.ValidationError:
            continue
        policy = policies.get(known.component, BreakerPolicy())
        if breaker.phase(known.memory, policy, now) == "open":
            until = breaker.open_until(known.memory, policy, now)
            yield known.component, max(0.0, until - now)


def first_word(text: Json) -> str | None:
    """Return the program that a command begins with, if that is obvious."""
    lines = [line.strip() for line in str(text or "").splitlines()]
    code = next((line for line in lines if line and not line.startswith("#")), "")
    word = code.split()[0] if code else ""
    plain = word.replace("-", "").replace("_", "").replace(".", "").isalnum()
    return word if plain and word not in _SHELL_WORDS and "=" not in word else None


def first_that_exists(path: Path) -> Path:
    """Return the path, or the nearest folder above it that is there."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place


def _disk(root: Path) -> Iterator[str]:
    place = first_that_exists(root)
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    if free < LOW_DISK_BYTES:
        yield f"little space is left for checkpoints: {free >> 20} MiB in {place}"


def _programs(workflow: Workflow) -> Iterator[str]:
    """Name missing programs with which one-line commands begin."""
    if "PATH" in workflow.env:
        return
    seen: set[str] = set()
    for step in workflow.steps:
        command = str(step.spec.get("run") or step.spec.get("command") or "").strip()
        word = first_word(command) if step.kind == "run" and "\n" not in command else None
        if word is None or word in seen or "PATH" in step.env or step.remedies:
            continue
        seen.add(word)
        if not _is_there(word):
            yield f"{step.id}: {word} is not found on PATH"


def _is_there(program: str) -> bool:
    """Return whether a program is on PATH, without what `shutil.which` imports."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = (os.path.join(folder or ".", program) for folder in folders)
    return any(os.access(path, os.X_OK) and os.path.isfile(path) for path in paths)


def _failing(workflow: Workflow, manager: CheckpointManager) -> Iterator[str]:
    known = history.read(manager.shared)
    if sum(each.failed for each in known.values()) == 0:
        return
    from agentrun.recovery.prediction import OFTEN, forecast

    for each in forecast(workflow, known):
        if each.chance is not None and each.chance.middle >= OFTEN:
            kind = f", mostly {each.worst}" if each.worst else ""
            likely = f"{each.chance.middle:.0%} likely by {each.runs} runs"
            yield f"{each.step} fails often: {likely}{kind}"

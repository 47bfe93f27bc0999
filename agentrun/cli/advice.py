"""`agentrun stats --advice`: what to change, why, and the change itself."""

import difflib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import typer
from msgspec import to_builtins

from agentrun.cli.settings import Settings
from agentrun.core.model import Json, Step, Workflow
from agentrun.errors import AgentrunError, UsageError
from agentrun.recovery import history
from agentrun.recovery.advice import Advice, advise
from agentrun.report import screen, words
from agentrun.report.result import write_json
from agentrun.report.screen import Screen, Style
from agentrun.steps import registry
from agentrun.store.manager import CheckpointManager
from agentrun.workflow.cache import load_cached
from agentrun.workflow.load import load_text
from agentrun.workflow.set_key import CannotWrite, set_step_key, set_top_key

_STYLES: dict[str, Style] = {"+": "green", "-": "red"}


def run(now: Settings, *, workflow: str | None, apply: bool, yes: bool, json: bool) -> int:
    """Show the advice for the workflows of this folder; with `apply` write what can be written."""
    manager = CheckpointManager(now.root)
    out, err = screen.stdout(color=now.color), screen.stderr(color=now.color)
    known = history.read(manager.shared)
    found: dict[Path, list[Advice]] = {}
    for file in _files(manager, workflow):
        try:
            advice = list(advise(load_cached(file), known, _component))
        except (AgentrunError, OSError) as error:
            err.line(f"left out: {file}: {words.one_line(str(error), 100)}")
            continue
        if advice:
            found[file] = advice
    if json and not apply:
        told = {os.fspath(file): to_builtins(advice) for file, advice in found.items()}
        write_json(out, {"advice": told})
        return 0
    out.lines(_lines(found, out))
    if not found:
        err.line("no advice: nothing stands out, or too little is known (10 runs of a step)")
    return _apply(found, out, err, yes=yes) if apply and found else 0


def _files(manager: CheckpointManager, workflow: str | None) -> list[Path]:
    """Return the file of each workflow, as its newest task names it."""
    newest: dict[str, str] = {}
    for task in sorted(manager.list(), key=lambda task: task.updated or 0.0, reverse=True):
        if workflow in {None, task.workflow} and task.workflow not in newest:
            try:
                newest[task.workflow] = manager.read(task.task_id).state.workflow_path
            except AgentrunError:
                continue
    return [Path(path) for path in newest.values() if Path(path).is_file()]


def _component(step: Step) -> str | None:
    return step.component or registry.get(step.kind).component(step.spec)


def _lines(found: dict[Path, list[Advice]], out: Screen) -> Iterator[str]:
    for file, advice in found.items():
        yield out.paint("bold", words.one_line(os.fspath(file)))
        for each in advice:
            yield f"  {each.step}: {each.text}"
            yield out.paint("dim", f"    {words.one_line(each.numbers)}")


def _apply(found: dict[Path, list[Advice]], out: Screen, err: Screen, *, yes: bool) -> int:
    """Write the changes, one file at a time, each shown first and agreed to."""
    code = 0
    for file, advice in found.items():
        before = file.read_text("utf-8")
        after = changed(file, before, advice, err)
        if after == before:
            err.line(f"{file}: nothing that can be written by itself")
            continue
        out.lines(_diff(file, before, after, out))
        if not yes and not _agreed(file, err):
            err.line(f"{file} was left as it is")
            code = 1
            continue
        _write(file, after)
        err.line(f"{file} was changed")
    return code


def changed(file: Path, text: str, advice: list[Advice], err: Screen) -> str:
    """Return the text with every change that can be made and leaves all else as it was."""
    for each in advice:
        if each.change is None:
            continue
        change, workflow = each.change, load_text(text, file)
        try:
            if change.step:
                line = next(step.line for step in workflow.steps if step.id == change.step)
                new = set_step_key(text, line, change.key, change.value)
            else:
                new = set_top_key(text, change.key, change.value)
            if _work_of(workflow) != _work_of(load_text(new, file)):
                raise CannotWrite("more would change than that")  # noqa: TRY301
        except (CannotWrite, AgentrunError) as problem:
            told = words.one_line(str(problem), 100)
            err.line(f"{each.step}: write `{change.key}: {change.value}` by hand: {told}")
            continue
        text = new
    return text


def _work_of(workflow: Workflow) -> list[tuple[str, Mapping[str, Json]]]:
    """Return what the steps do, which no advice changes."""
    return [(step.id, step.spec) for step in workflow.steps]


def _diff(file: Path, before: str, after: str, out: Screen) -> Iterator[str]:
    name = os.fspath(file)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    for line in lines:
        yield out.paint(_STYLES.get(line[:1], ""), words.safe(line))


def _agreed(file: Path, err: Screen) -> bool:
    if not (sys.stdin.isatty() and err.terminal):
        raise UsageError(f"to change {file}, say --yes", "or look first: without --apply")
    return typer.confirm(f"Change {file}?", err=True)


def _write(file: Path, text: str) -> None:
    """Replace the file as a whole, keeping its permissions."""
    target = file.resolve()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    os.chmod(new.name, target.stat().st_mode & 0o777)
    os.replace(new.name, target)

"""A crash at any event of the Debugger's loop: the fix is neither lost nor applied twice.

Each workflow is run to its end once; then, for every prefix of its journal, the task is put back to
that prefix as a crash would have left it, and resumed.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentrun.core import events as ev
from agentrun.core.events import Recorded
from agentrun.requests import Finished
from agentrun.store.manager import CheckpointManager
from tests.runner.conftest import Desk

SET_ENV = """
    inputs: {region: {type: string, default: eu}}
    debugger: {}
    steps:
      - id: a
        run: |
          echo "deploying to $REGION"
      - {id: b, run: 'echo "${{ steps.a.output }}!"'}
"""

RERUN = """
    debugger: {}
    steps:
      - id: fetch
        run: |
          if test -e once; then echo '{"price": 21}'; else touch once; echo '{"prize": 21}'; fi
        output: json
      - {id: use, python: "use.py:use", with: {row: "${{ steps.fetch.output }}"}}
"""

BY_AGENT = """
    debugger: {autofix: full, agent: {cli: {command: cat answer.json, prompt: stdin, format: text}}}
    steps:
      - id: a
        STEP
      - {id: b, run: 'echo "${{ steps.a.output }}!"'}
"""

FALLBACK = """run: "echo 'AssertionError: no' >&2; exit 1"
        on_error: [{match: {kind: logic}, then: debug}]
        fallback: [{run: echo other}]"""
SKIP = """run: "echo 'AssertionError: no' >&2; exit 1"
        on_error: [{match: {kind: logic}, then: debug}]
        continue_on_error: true"""
EDIT = """run: python3 job.py"""
COMMAND = """run: "test -e made || { echo 'AssertionError: no' >&2; exit 1; }; echo good" """


def answer(desk: Desk, type_: str, **params: str) -> None:
    fixes = [{"type": type_, "params": params}]
    said = {"cause": "c", "confidence": 0.9, "fixes": fixes}
    (desk.folder / "answer.json").write_text(json.dumps(said))


def prefixes(desk: Desk, done: Finished) -> Iterator[list[Recorded]]:
    """Put the task back to each prefix of its journal, as if the process had died there."""
    folder = desk.root / done.task_id
    lines = (folder / "journal.jsonl").read_bytes().split(b"\n")
    records = CheckpointManager(desk.root).read(done.task_id).records
    kept = desk.folder / "kept"
    shutil.copytree(folder, kept)
    for count in range(2, len(records)):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        shutil.rmtree(folder / "snapshots")
        (folder / "snapshots").mkdir()
        (folder / "state").mkdir(exist_ok=True)
        (folder / "journal.mirror.jsonl").unlink()
        (folder / "journal.jsonl").write_bytes(b"\n".join(lines[:count]) + b"\n")
        yield list(records[:count])


def fixes(desk: Desk, task_id: str) -> list[ev.FixApplied]:
    records = CheckpointManager(desk.root).read(task_id).records
    return [r.event for r in records if isinstance(r.event, ev.FixApplied)]


def applied(records: list[Recorded]) -> bool:
    return any(isinstance(each.event, ev.FixApplied) for each in records)


Prepare = Callable[[Desk], None]


def rerun(desk: Desk) -> None:
    desk.write("use.py", "def use(row):\n    return row['price'] * 2\n")


def edit(desk: Desk) -> None:
    answer(desk, "edit_file", path="job.py", old="assert False", new="print('good')")


def reset(folder: Path, records: list[Recorded]) -> None:
    """Put the files of the world back to what they were at that moment."""
    (folder / "job.py").write_text("assert False\n")
    (folder / "made").unlink(missing_ok=True)
    if not any(isinstance(r.event, ev.StepSucceeded) and r.event.step == "fetch" for r in records):
        (folder / "once").unlink(missing_ok=True)


CASES: dict[str, tuple[str, Prepare, object]] = {
    "a change of the attempt": (SET_ENV, lambda _desk: None, "deploying to eu!"),
    "an earlier step again": (RERUN, rerun, 42),
    "the fallback": (
        BY_AGENT.replace("STEP", FALLBACK),
        lambda desk: answer(desk, "take_fallback"),
        "other!",
    ),
    "left out": (BY_AGENT.replace("STEP", SKIP), lambda desk: answer(desk, "skip"), "!"),
    "an edited file": (BY_AGENT.replace("STEP", EDIT), edit, "good!"),
    "a command": (
        BY_AGENT.replace("STEP", COMMAND),
        lambda desk: answer(desk, "run_command", command="touch made; echo x >> commands"),
        "good!",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_crash_at_any_event_neither_loses_nor_repeats_the_fix(desk: Desk, name: str) -> None:
    text, prepare, outputs = CASES[name]
    prepare(desk)
    reset(desk.folder, [])
    done = desk.run(text)
    assert (done.exit_code, done.outputs) == (0, outputs)
    assert len(fixes(desk, done.task_id)) == 1
    for records in prefixes(desk, done):
        reset(desk.folder, records)
        resumed = desk.resume(done)
        where = f"{name}: killed after {type(records[-1].event).__name__}"
        assert (resumed.exit_code, resumed.outputs) == (0, outputs), where
        assert len(fixes(desk, done.task_id)) == 1, where
        judged = [
            r.event
            for r in CheckpointManager(desk.root).read(done.task_id).records
            if isinstance(r.event, ev.FixJudged)
        ]
        assert len(judged) == (0 if name == "left out" else 1), where


def test_an_edit_that_was_made_before_a_crash_is_not_made_twice(desk: Desk) -> None:
    edit(desk)
    reset(desk.folder, [])
    done = desk.run(BY_AGENT.replace("STEP", EDIT))
    crashes = 0
    for records in prefixes(desk, done):
        if applied(records):  # the file is as the edit left it: killed after it, or after its end
            (desk.folder / "job.py").write_text("print('good')\n")
            assert desk.resume(done).exit_code == 0
            assert (desk.folder / "job.py").read_text() == "print('good')\n"
            crashes += 1
    assert crashes > 0


def test_an_edit_that_does_not_help_is_undone(desk: Desk) -> None:
    answer(desk, "edit_file", path="job.py", old="assert False", new="assert 0")
    (desk.folder / "job.py").write_text("assert False\n")
    done = desk.run(BY_AGENT.replace("STEP", EDIT))
    assert done.exit_code == 3
    assert (desk.folder / "job.py").read_text() == "assert False\n"


@pytest.mark.parametrize("path", ["checkpoints/.agentrun/fixes.json", "link/x"])
def test_no_edit_leaves_the_folder_or_touches_the_checkpoints(desk: Desk, path: str) -> None:
    outside = desk.folder.parent / f"{desk.folder.name}-outside"
    outside.mkdir()
    (outside / "x").write_text("once")
    (desk.folder / "link").symlink_to(outside)
    desk.root.mkdir()
    (desk.root / ".agentrun").mkdir()
    (desk.root / ".agentrun" / "fixes.json").write_text('{"once": 1}')
    (desk.folder / "job.py").write_text("assert False\n")
    answer(desk, "edit_file", path=path, old="once", new="twice")
    done = desk.run(BY_AGENT.replace("STEP", EDIT))
    assert done.exit_code == 3
    assert (outside / "x").read_text() == "once"
    text = (desk.root / ".agentrun" / "fixes.json").read_text()
    assert '"twice": 1' not in text

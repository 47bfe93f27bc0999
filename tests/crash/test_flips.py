"""Damage to the files of a task, through the real command."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.crash.flips import BIG_BYTES, LARGE_BYTES, RESUME, Task, agentrun, flipped, flips


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Task(tmp_path)


def constant(data: bytes | None, _: bytes) -> bytes | None:
    return data


@pytest.mark.slow
def test_a_flipped_bit_is_repaired(task: Task) -> None:
    verdicts = Counter(verdict for _, verdict in flips(task, 29))
    assert verdicts.total() > 600
    assert set(verdicts) == {"right"}


def test_files_that_are_gone_or_empty_are_repaired(task: Task) -> None:
    names = task.files()
    assert {"journal.jsonl", "journal.mirror.jsonl", "workflow.yaml"} <= set(names)
    assert {name.partition("/")[0] for name in names} >= {"blobs", "snapshots"}
    for name in names:
        for data in (None, b"", bytes(700)):
            assert task.damaged(name, partial(constant, data)) == "right", name


def test_a_value_that_stands_once_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    task = Task(tmp_path, LARGE_BYTES)
    (name,) = [name for name, size in task.files().items() if size > LARGE_BYTES]
    for change in (partial(constant, None), partial(constant, b""), flipped(40_000)):
        assert task.damaged(name, change) == "refused"


def test_a_repair_of_a_value_is_told(task: Task, tmp_path: Path) -> None:
    (name,) = [name for name, size in task.files().items() if size > BIG_BYTES and "." not in name]
    (tmp_path / "checkpoints/flipped" / name).write_bytes(b"")
    code, _, err = agentrun(RESUME[:-1])
    assert code == 0
    assert f"warning: {name} was damaged and was rebuilt from its second copy" in err

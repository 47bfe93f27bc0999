"""Damage to the files of a task, through the real command."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.crash.flips import Task, flips


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Task(tmp_path)


def constant(data: bytes | None, _: bytes) -> bytes | None:
    return data


@pytest.mark.slow
def test_a_flipped_bit_is_repaired_or_refused(task: Task) -> None:
    verdicts = Counter(flips(task, 29))
    assert sum(verdicts.values()) > 400
    refused = {name.partition("/")[0] for name, verdict in verdicts if verdict == "refused"}
    assert refused <= {"blobs"}, "only a value has no second copy"


def test_files_that_are_gone_or_empty_are_repaired_or_refused(task: Task) -> None:
    verdicts = {}
    for name in task.files():
        for what, data in (("gone", None), ("empty", b""), ("zeros", bytes(700))):
            verdict = task.damaged(name, partial(constant, data))
            verdicts[name.partition("/")[0], what] = verdict
    assert {part for (part, _), verdict in verdicts.items() if verdict == "refused"} <= {"blobs"}
    assert verdicts["journal.jsonl", "gone"] == "right"
    assert verdicts["snapshots", "gone"] == "right"

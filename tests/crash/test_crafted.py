"""Checkpoints that somebody made up, and names that lead elsewhere: refused, and nothing is run."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from tests.crash.flips import RESUME, Task, agentrun

HOSTILE_IDS = (
    "../flipped",
    "../../etc",
    "/etc/passwd",
    "..",
    ".",
    ".agentrun",
    "",
    "a/b",
    "a\x00b",
    "a\nb",
    "x" * 300,
    "-x",
    "$(touch pwned)",
    "flippeḑ",
)


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Task(tmp_path)


def refused(code: int, err: str) -> None:
    assert code in {2, 4}, err
    assert "Traceback" not in err
    assert Path("effects").read_text().split() == ["one", "big"], "something was run"
    assert not Path("pwned").exists()


@pytest.mark.parametrize("task_id", HOSTILE_IDS)
@pytest.mark.parametrize("command", ["resume", "inspect", "cancel", "run"])
def test_hostile_ids(task: Task, task_id: str, command: str) -> None:
    args = {"run": ["run", "workflow.yaml", f"--task-id={task_id}"]}.get(command)
    code, _, err = agentrun(args or [command, "--", task_id])
    refused(code, err)
    assert sorted(path.name for path in Path().iterdir()) == sorted(
        {"workflow.yaml", "steps.py", "checkpoints", "sound", "effects", "cache"}
    )


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.mirror.jsonl", "lock", "workflow.yaml"])
def test_a_link_in_place_of_a_file_is_not_followed(task: Task, name: str) -> None:
    path = Path("checkpoints/flipped") / name
    target = Path("elsewhere")
    target.write_bytes(path.read_bytes())
    before = target.read_bytes()
    path.unlink()
    path.symlink_to(target.resolve())
    code, _, err = agentrun(RESUME)
    refused(code, err)
    assert target.read_bytes() == before


def test_a_link_in_place_of_the_task_or_of_all_tasks_is_not_followed(task: Task) -> None:
    os.rename("checkpoints/flipped", "elsewhere")
    Path("checkpoints/flipped").symlink_to(Path("elsewhere").resolve())
    refused(*agentrun(RESUME)[::2])
    Path("linked").symlink_to(Path("checkpoints").resolve())
    refused(*agentrun(["--checkpoints", "linked", *RESUME])[::2])


def test_a_pipe_in_place_of_a_file_does_not_hang(task: Task) -> None:
    path = Path("checkpoints/flipped/journal.jsonl")
    path.unlink()
    os.mkfifo(path)
    refused(*agentrun(RESUME)[::2])


CRAFTED = {
    "deep nesting": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a huge number": b'{"seq": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"seq": NaN}',
    "wrong types": b'{"seq": "one", "state": [], "task_id": 7}',
    "no UTF-8": b'{"seq": "\xff\xfe"}',
    "not an object": b"[]",
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_snapshot_with_a_right_seal_and_a_wrong_content_is_not_believed(
    task: Task, name: str
) -> None:
    body = CRAFTED[name]
    body = body.removesuffix(b"}")
    sealed = body + b',"sha256":"%s"}\n' % sha256(body).hexdigest().encode()
    (snapshot,) = (found for found in task.files() if found.startswith("snapshots/"))
    assert task.damaged(snapshot, lambda _: sealed) == "right"


def test_a_snapshot_from_the_future_is_not_believed_silently(task: Task) -> None:
    """Its name says that more was on disk than there is."""
    Path("checkpoints/flipped/snapshots/20990101T000000.000000Z-999999.json").write_bytes(b"{}")
    refused(*agentrun(RESUME)[::2])

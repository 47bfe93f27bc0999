"""A process left by a dead run is found by proof, not by its pid alone."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrun.steps import proc_table
from agentrun.steps.orphans import end_leftovers
from agentrun.steps.proc_table import Target, boot_id, find, process_start_time

pytestmark = pytest.mark.anyio
TASK = f"orphans-{os.getpid()}"
MARKS = {"AGENTRUN_TASK_ID": TASK, "AGENTRUN_STEP": "sub/build[3]"}


class Left:
    """What a dead run left: a group, with or without the marks in its environment."""

    def __init__(self, command: str, marks: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            start_new_session=True,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **marks},
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.marks = marks
        self.pid = self.process.pid
        self.started = process_start_time(self.pid) or 0

    @property
    def alive(self) -> bool:
        return bool(find(Target(self.pid)))

    def end(self) -> None:
        """End all of it, and wait until they have let go of the pipe, as the dead do."""
        for process in find(Target(self.pid, marks=self.marks)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        assert self.process.stdout is not None
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def unmarked() -> Iterator[Left]:
    left = Left("sleep 300 & sleep 300 & echo ready; wait", {})
    yield left
    left.end()


@pytest.fixture
def marked() -> Iterator[Left]:
    left = Left("setsid sleep 300 & sleep 300 & echo ready; wait", MARKS)
    yield left
    left.end()


async def test_the_recorded_group_is_ended(unmarked: Left) -> None:
    left = await end_leftovers(
        task_id="t", step="s", pid=unmarked.pid, started=unmarked.started, boot=boot_id()
    )
    assert unmarked.pid in left.found
    assert len(left.found) == 3
    assert left.survivors == ()
    assert not unmarked.alive


async def test_a_pid_that_was_used_again_is_not_touched(unmarked: Left) -> None:
    left = await end_leftovers(
        task_id="t", step="s", pid=unmarked.pid, started=unmarked.started - 1, boot=boot_id()
    )
    assert left.found == ()
    assert unmarked.alive


async def test_a_record_of_another_boot_proves_nothing(unmarked: Left) -> None:
    left = await end_leftovers(
        task_id="t", step="s", pid=unmarked.pid, started=unmarked.started, boot="another"
    )
    assert left.found == ()
    assert unmarked.alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="environments stand in /proc")
async def test_the_marks_find_it_without_a_record_and_in_any_session(marked: Left) -> None:
    left = await end_leftovers(task_id=TASK, step="sub/build[3]")
    assert len(left.found) == 3
    assert not marked.alive
    assert find(Target(marks=MARKS)) == ()


async def test_one_that_has_lost_its_marks_on_its_way_out_is_waited_for(
    unmarked: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [find(Target(unmarked.pid))]
    monkeypatch.setattr(proc_table, "find", lambda _target: looks.pop() if looks else ())
    left = await proc_table.end_all(Target(marks=MARKS))
    assert len(left.found) == 3
    assert not unmarked.alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="environments stand in /proc")
@pytest.mark.parametrize(
    ("task_id", "step"),
    [(TASK, "sub/build[33]"), (TASK, "sub/build"), ("orphans-", "sub/build[3]")],
    ids=["another item", "the whole step", "another task"],
)
async def test_the_marks_of_another_step_are_not_ours(
    marked: Left, task_id: str, step: str
) -> None:
    assert (await end_leftovers(task_id=task_id, step=step)).found == ()
    assert marked.alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="environments stand in /proc")
async def test_a_task_of_the_same_id_in_another_folder_is_not_ours(tmp_path: Path) -> None:
    """Build machines give the same --task-id in the folders of many projects."""
    there = tmp_path / "there" / TASK / "state" / "build"
    there.mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "there")
    left = Left("sleep 300 & echo ready; wait", MARKS | {"AGENTRUN_STATE_DIR": str(there)})
    try:
        for folder in (tmp_path / "here" / TASK, tmp_path / "there" / TASK[:-1]):
            found = await end_leftovers(task_id=TASK, step="sub/build[3]", folder=str(folder))
            assert found.found == ()
            assert left.alive
        ours = str(tmp_path / "linked" / TASK)
        found = await end_leftovers(task_id=TASK, step="sub/build[3]", folder=ours)
        assert len(found.found) == 2
        assert not left.alive
    finally:
        left.end()


async def test_a_record_without_a_start_proves_nothing(unmarked: Left) -> None:
    left = await end_leftovers(task_id="t", step="s", pid=unmarked.pid, started=0, boot=boot_id())
    assert left.found == ()
    assert unmarked.alive


async def test_nothing_left_is_nothing_done() -> None:
    gone = Left("echo ready", {})
    gone.end()
    left = await end_leftovers(task_id="t", step="s", pid=gone.pid, started=1, boot=boot_id())
    assert left.found == left.survivors == ()


async def test_one_that_ignores_sigterm_is_killed() -> None:
    left = Left("trap '' TERM; echo ready; while :; do sleep 0.05; done", {})
    ending = await end_leftovers(
        task_id="t", step="s", pid=left.pid, started=left.started, boot=boot_id(), grace_s=0.1
    )
    assert ending.survivors == ()
    assert not left.alive
    left.end()


async def test_what_it_starts_to_tidy_up_is_given_its_time(tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"
    left = Left(
        f"trap 'bash -c \"sleep 0.2; true\" && touch {tidied}' EXIT; echo ready; sleep 300", {}
    )
    ending = await end_leftovers(
        task_id="t", step="s", pid=left.pid, started=left.started, boot=boot_id()
    )
    assert ending.survivors == ()
    assert tidied.exists()
    left.end()


def test_this_boot_has_a_name_and_this_process_a_start() -> None:
    assert boot_id() == boot_id() != ""
    assert process_start_time(os.getpid()) is not None
    assert process_start_time(2**22 + 1) is None


def test_without_proc_ps_tells_the_groups(unmarked: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentrun.steps.proc_table._has_proc", lambda: False)
    assert unmarked.pid in [process.pid for process in find(Target(unmarked.pid))]
    assert len(find(Target(unmarked.pid))) == 3
    assert abs((process_start_time(unmarked.pid) or 0) - time.time()) < 60

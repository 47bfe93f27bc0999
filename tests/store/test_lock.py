"""One process per task, and none that has lost it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentrun.core import events as ev
from agentrun.errors import Fenced, Locked
from agentrun.store import host
from agentrun.store.manager import CheckpointManager
from agentrun.store.values import ValueStore
from tests.store.faulty_disk import FaultySystem
from tests.store.scenario import ROOT, TASK, TEXT, Driver, Oracle, started

HOLD = """
import sys
from agentrun.store.manager import CheckpointManager
task = CheckpointManager(sys.argv[1]).open(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


def made(root: Path) -> CheckpointManager:
    manager = CheckpointManager(root)
    values = ValueStore("", manager.disk, {})
    manager.create(TASK, TEXT, {"sub.yaml": "name: sub\n"}, [started(values.put(1))]).close()
    return manager


def holding(root: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root), TASK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_task(tmp_path: Path) -> None:
    manager = made(tmp_path / "c")
    with holding(tmp_path / "c") as process:
        with pytest.raises(Locked, match=rf"held by process {process.pid} on .* since 20") as told:
            manager.open(TASK)
        assert f"agentrun resume {TASK}" in told.value.hint
        assert manager.read(TASK).running
        process.kill()
        process.wait()
    assert not manager.read(TASK).running
    manager.open(TASK).close()


def test_a_program_that_a_step_starts_does_not_inherit_the_lock(tmp_path: Path) -> None:
    manager = made(tmp_path / "c")
    task = manager.open(TASK)
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
        task.close()
        manager.open(TASK).close()
        child.kill()


def test_a_second_open_in_one_process_is_refused() -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    task = driver.opened()
    with pytest.raises(Locked):
        driver.manager.open(TASK)
    task.close()
    driver.manager.open(TASK).close()


def test_a_lock_file_of_nonsense_is_no_obstacle() -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    driver.opened().close()
    system.set_content(f"{ROOT}/{TASK}/lock", b'{"holder": [[[')
    driver.manager.open(TASK).close()
    system.unlink(f"{ROOT}/{TASK}/lock")
    driver.manager.open(TASK).close()


@pytest.mark.parametrize("events", [1, 60])
def test_of_two_that_believe_to_hold_the_task_the_late_one_stops(events: int) -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    first = driver.opened()
    first.append([ev.Recorded(seq, 1.0, ev.Warned("x" * 99)) for seq in range(2, events + 1)])
    system.unlink(f"{ROOT}/{TASK}/lock")
    second = driver.manager.open(TASK)
    second.append([ev.Recorded(events + 1, 1.0, ev.Warned("b"))])
    for _ in range(2):
        with pytest.raises(Fenced):
            first.append([ev.Recorded(events + 1, 1.0, ev.Warned("a"))])
    first._lock.release()
    second.append([ev.Recorded(events + 2, 1.0, ev.Warned("b"))])
    assert driver.manager.read(TASK).state.warnings[-2:] == ("b", "b")


def test_a_process_whose_journal_was_written_by_another_stops_writing() -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    task = driver.opened()
    path = f"{ROOT}/{TASK}/journal.jsonl"
    system.set_content(path, system.content(path) + b"x")
    with pytest.raises(Fenced, match="changed by another process"):
        task.append([ev.Recorded(2, 1.0, ev.Warned("a"))])


def test_a_process_whose_journal_was_replaced_stops_writing() -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    task = driver.opened()
    path = f"{ROOT}/{TASK}/journal.jsonl"
    driver.manager.disk.replace(path, system.content(path))
    with pytest.raises(Fenced, match="not the file"):
        task.append([ev.Recorded(2, 1.0, ev.Warned("a"))])


def test_a_task_that_is_cleaned_away_while_it_is_opened_is_not_locked(tmp_path: Path) -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    driver.opened().close()

    def vanish(kind: str) -> None:
        if kind == "flock":
            system.before_call = None
            driver.manager.disk.rename(f"{ROOT}/{TASK}", f"{ROOT}/.gone")

    system.before_call = vanish
    with pytest.raises(Locked, match="removed or taken over"):
        driver.manager.open(TASK)


def test_files_are_private_and_links_are_refused(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        manager = made(tmp_path / "c")
    finally:
        os.umask(before)
    assert_private(tmp_path / "c")
    folder = f"{tmp_path}/c/{TASK}"
    os.rename(f"{folder}/journal.jsonl", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", f"{folder}/journal.jsonl")
    with pytest.raises(Exception, match="symbolic link"):
        manager.open(TASK)
    shutil.move(f"{folder}", tmp_path / "real")
    os.symlink(tmp_path / "real", folder)
    with pytest.raises(Exception, match="symbolic link"):
        manager.open(TASK)


def test_a_strict_umask_does_not_lock_us_out(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        made(tmp_path / "c").open(TASK).close()
    finally:
        os.umask(before)
    assert_private(tmp_path / "c")


def assert_private(root: Path) -> None:
    for folder, _, names in os.walk(root):
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert all(os.stat(f"{folder}/{name}").st_mode & 0o777 == 0o600 for name in names)


def test_a_process_is_known_by_its_start_time_too() -> None:
    me = host.this_process(1)
    assert host.is_alive(me)
    assert not host.is_alive(ev.Holder(1, me.pid, me.started + 1, me.host, me.boot_id))
    assert not host.is_alive(ev.Holder(1, me.pid, me.started, me.host, "another boot"))
    assert host.is_alive(ev.Holder(1, 1, 1, "another-host", "x"))
    assert host.process_start_time(2**22 + 1) is None

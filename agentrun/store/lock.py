"""One process per task: the lock, and who holds it.

The lock is `flock` on `<task>/lock`, held for as long as the task is open; the kernel lets go of it
when the process dies, however it dies, so a dead holder's lock is simply free. The descriptor is
close-on-exec: programs that a step starts do not inherit it. What stands in the file (pid, start
time, host, boot) is for the message alone and decides nothing.

After taking the lock the file's identity is compared with what the path names now: a folder that
was cleaned away between open and lock is not locked by its ghost.
"""

import time
from contextlib import ExitStack, suppress

import msgspec

from agentrun.core.events import Holder
from agentrun.errors import Locked, NotWritable
from agentrun.store import host
from agentrun.store.disk import Disk, File
from agentrun.store.record import DECODE_ERRORS, iso

LOCK = "lock"


class Held(msgspec.Struct, frozen=True):
    """What stands in the lock file."""

    holder: Holder
    since: str


class TaskLock:
    """The lock of a task, held by this process."""

    def __init__(self, disk: Disk, file: File) -> None:
        self._disk, self._file = disk, file
        self._identity = file.identity()

    def is_ours(self) -> bool:
        """Return whether the lock file on disk is still the one that is held."""
        found = self._disk.status(self._file.path)
        return found is not None and (found.st_dev, found.st_ino) == self._identity

    def moved(self, folder: str) -> None:
        """Take account of the task's folder having got its final name."""
        self._file.path = f"{folder}/{LOCK}"

    def release(self) -> None:
        """Let go of the task. The holder's name goes too; should that fail, it only misleads."""
        with suppress(NotWritable):
            self._file.truncate(0)
        self._file.close()


def acquire(disk: Disk, folder: str) -> TaskLock:
    """Take the lock of the task in `folder`, or raise Locked with who holds it."""
    path = f"{folder}/{LOCK}"
    with ExitStack() as undo:
        file = undo.enter_context(disk.open(path, write=True) or disk.create(path, exclusive=False))
        lock = _taken(disk, folder, file)
        undo.pop_all()
    return lock


def held_by(disk: Disk, folder: str) -> Held | None:
    """Return who last took the lock, without touching it; None when that can't be read."""
    text = disk.read(f"{folder}/{LOCK}")
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Held)
    except DECODE_ERRORS:
        return None


def _taken(disk: Disk, folder: str, file: File) -> TaskLock:
    if not disk.lock(file):
        raise _locked(disk, folder, held_by(disk, folder))
    lock = TaskLock(disk, file)
    if not lock.is_ours():
        raise Locked(f"{folder}: the task was removed or taken over just now", disk.hint)
    _write_holder(file)
    return lock


def _write_holder(file: File) -> None:
    # Not synced: after a power cut no holder lives, whatever the file says. And a disk that is full
    # must not keep anybody from cleaning up.
    text = msgspec.json.encode(Held(host.this_process(0), iso(time.time())))
    with suppress(NotWritable):
        file.write_at(0, text)
        file.truncate(len(text))


def _locked(disk: Disk, folder: str, held: Held | None) -> Locked:
    task_id = folder.rpartition("/")[2]
    again = f"agentrun resume {disk.task_id or task_id}"
    if held is None:
        return Locked(f"Task {task_id} is held by another process.", f"When it has ended: {again}")
    who = f"process {held.holder.pid} on {held.holder.host} since {held.since}"
    if not host.is_alive(held.holder):
        return Locked(
            f"Task {task_id} was taken by {who}, which is gone; a child of it still holds it.",
            f"Find it with `fuser {folder}/{LOCK}`, end it, then: {again}",
        )
    return Locked(
        f"Task {task_id} is held by {who}.",
        f"Wait until it has ended, or end it (kill {held.holder.pid}), then: {again}",
    )

"""Makes both copies of a journal hold exactly what a survey proved, safely at every step.

The journal comes first and is whole and synced before the mirror is touched; a file that is rebuilt
is written aside, synced and renamed; bad bytes are kept aside before they are cut off. A crash in
the middle leaves a state that the next survey reads the same. The folder's sync is the caller's.
"""

import time

from agentrun.errors import Damaged
from agentrun.store.disk import Disk, File
from agentrun.store.record import iso, place
from agentrun.store.recovery import Copy, Survey

MAX_KEPT_ASIDE = 8
"""Files kept aside per task: a machine that crashes in a loop does not fill its disk with them."""


def repair(disk: Disk, found: Survey) -> list[str]:
    """Mend both files; return what was done, in words. Raises Damaged when records are lost."""
    if found.loss is not None:
        raise Damaged(
            f"{found.loss.told()}. Nothing was run and nothing was changed.",
            f"See what is left: agentrun inspect {disk.task_id} --verify",
        )
    done: list[str] = []
    truth = b"".join(found.lines)
    done += _mend(disk, found, found.journal, truth)
    _rewrite_last_batch(disk, found)
    done += _mend(disk, found, found.mirror, truth)
    return done


def keep_aside(disk: Disk, path: str, kind: str, data: bytes | None = None) -> str | None:
    """Keep a bad file (or `data` of it) beside it; return the new name, None when enough are."""
    folder, _, name = path.rpartition("/")
    marks = (".torn-", ".damaged-")
    kept = [other for other in disk.names(folder) if any(mark in other for mark in marks)]
    if len(kept) >= MAX_KEPT_ASIDE:
        return None
    stamp = iso(time.time()).replace("-", "").replace(":", "")
    aside = f"{name}.{kind}-{stamp}"
    if data is None:
        disk.link(path, f"{folder}/{aside}")
    else:
        disk.write_new(f"{folder}/{aside}", data)
    return aside


def _mend(disk: Disk, found: Survey, copy: Copy, truth: bytes) -> list[str]:
    """Make one file hold the truth."""
    name = copy.path.rpartition("/")[2]
    if copy.tail == truth:
        if copy.padding:
            _cut_padding(disk, found, copy)
        return []
    rest = copy.bytes[copy.intact :]
    if copy.tail is not None and rest.count(b"\n") <= 1:
        return _mend_tail(disk, found, copy, truth)
    if copy.tail is None:
        disk.replace(copy.path, _prefix(disk, found, copy) + truth)
        return [f"{name} was missing and was rebuilt from its other copy"]
    aside = keep_aside(disk, copy.path, "damaged")
    disk.replace(copy.path, _prefix(disk, found, copy) + truth)
    kept = f"; the damaged file is kept as {aside}" if aside else ""
    return [f"{name} was damaged and was rebuilt from its other copy{kept}"]


def _cut_padding(disk: Disk, found: Survey, copy: Copy) -> None:
    """Cut off the room that a process which was killed had written ahead."""
    with _existing(disk, copy.path) as file:
        file.truncate(found.end.offset)


def _mend_tail(disk: Disk, found: Survey, copy: Copy, truth: bytes) -> list[str]:
    """Cut off what does not belong at the end, and add what is missing there."""
    name = copy.path.rpartition("/")[2]
    rest, missing = copy.bytes[copy.intact :], truth[copy.intact :]
    torn = bool(rest.strip(b"\0")) and not missing.startswith(rest)
    aside = keep_aside(disk, copy.path, "torn", rest) if torn else None
    with _existing(disk, copy.path) as file:
        file.truncate(found.anchor.offset + copy.intact)
        file.write(missing)
    if not rest:
        count = missing.count(b"\n")
        return [f"{name} lacked {count} records at its end; they were added"]
    kept = f", kept as {aside}" if aside else ""
    return [f"{name} ended in {len(rest)} bytes of an unfinished write, cut off{kept}"]


def _rewrite_last_batch(disk: Disk, found: Survey) -> None:
    """Write the last batch once more, the same bytes in the same place, and sync.

    It may be visible and yet not on disk: a process that was killed between write and sync, or a
    sync that failed, after which the kernel forgets that these pages are to be written.
    """
    synced = place(found.lines[-1])[1] if found.lines else 0
    start = max(0, synced - found.anchor.seq)
    batch = b"".join(found.lines[start:])
    with _existing(disk, found.journal.path) as file:
        file.write_at(found.end.offset - len(batch), batch)
        file.sync()


def _existing(disk: Disk, path: str) -> File:
    file = disk.open(path, write=True)
    if file is None:
        raise Damaged(f"{path} vanished while it was repaired", disk.hint)
    return file


def _prefix(disk: Disk, found: Survey, copy: Copy) -> bytes:
    """Return the proven bytes before the anchor, which stand in both files."""
    if found.anchor.offset == 0:
        return b""
    with _existing(disk, copy.path) as file:
        return file.read(0, found.anchor.offset)

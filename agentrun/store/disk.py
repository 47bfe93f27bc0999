"""The one seam through which every durable byte goes.

Owns what "written" means here: a write loops until all bytes are taken, a file is synced before it
is relied on, and the folder that names it is synced too (after create, rename, link, mkdir). A
failed write or sync is final: the handle is broken for good, because after a failed sync the
kernel may report the next one as good while the bytes are gone. Files are 0600 and folders 0700
whatever the umask; symbolic links, devices and pipes in place of files are refused.

Every `OSError` leaves here as `NotWritable` or `StoreError` with the file, the reason and the next
command. Underneath are the system calls of system.py; tests put faulty ones there. Refuses to know
what the bytes mean.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from agentrun.errors import NotWritable, StoreError
from agentrun.store.system import RealSystem, System

CHUNK_BYTES = 1 << 18
SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK keeps a pipe that was put in place of a file from blocking the open."""


class File:
    """An open file. Writes go to its end (`size`), which only this handle moves."""

    __slots__ = ("_disk", "_system", "broken", "fd", "path", "size")

    def __init__(self, disk: "Disk", path: str, fd: int, size: int) -> None:
        self._disk, self._system = disk, disk.system
        self.path, self.fd, self.size = path, fd, size
        self.broken = False

    def write(self, data: bytes | bytearray) -> None:
        """Append all of `data`."""
        self.write_at(self.size, data)
        self.size += len(data)

    def write_at(self, offset: int, data: bytes | bytearray) -> None:
        """Write all of `data` at `offset`, however little the system takes at a time."""
        self._refuse_when_broken()
        try:
            done = self._system.pwrite(self.fd, data, offset)
            while done < len(data):
                taken = self._system.pwrite(self.fd, memoryview(data)[done:], offset + done)
                done += taken or _full()
        except OSError as error:
            self.broken = True
            raise self._disk.not_writable("write", self.path, error) from error

    def sync(self) -> None:
        """Return when everything written is on disk."""
        self._refuse_when_broken()
        try:
            self._system.fdatasync(self.fd)
        except OSError as error:
            self.broken = True
            raise self._disk.not_writable("sync", self.path, error) from error

    def truncate(self, size: int) -> None:
        """Cut the file off at `size`."""
        self._refuse_when_broken()
        try:
            self._system.ftruncate(self.fd, size)
        except OSError as error:
            self.broken = True
            raise self._disk.not_writable("cut off", self.path, error) from error
        self.size = size

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; fewer only at the end of the file."""
        parts: list[bytes] = []
        try:
            while size > 0 and (part := self._system.pread(self.fd, size, offset)):
                parts.append(part)
                size, offset = size - len(part), offset + len(part)
        except OSError as error:
            raise self._disk.not_readable(self.path, error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop` (or the end) a piece at a time."""
        while stop is None or start < stop:
            size = CHUNK_BYTES if stop is None else min(CHUNK_BYTES, stop - start)
            chunk = self.read(start, size)
            if not chunk:
                return
            yield chunk
            start += len(chunk)

    def identity(self) -> tuple[int, int]:
        """Return what tells this file from any other: device and inode."""
        try:
            found = self._system.fstat(self.fd)
        except OSError as error:
            raise self._disk.not_readable(self.path, error) from error
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Let go of the file. What was not synced is not promised."""
        if self.fd < 0:
            return
        fd, self.fd, self.broken = self.fd, -1, True
        try:
            self._system.close(fd)
        except OSError as error:
            raise self._disk.not_writable("close", self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _refuse_when_broken(self) -> None:
        if self.broken:
            message = f"{self.path}: not written, since an earlier write or sync of it failed"
            raise NotWritable(message, self._disk.hint)


class Disk:
    """The operations of the store on files and folders. `task_id` names the task in hints."""

    def __init__(self, system: System | None = None, task_id: str = "") -> None:
        self.system: System = system or RealSystem()
        self.task_id = task_id
        command = f"agentrun resume {task_id}" if task_id else "the same command again"
        self.hint = f"What was acknowledged before is safe. Cure the cause, then: {command}"

    def for_task(self, task_id: str) -> "Disk":
        """Return the same disk, whose errors point to `task_id`."""
        return Disk(self.system, task_id)

    # --- files ----------------------------------------------------------------------------------

    def open(self, path: str, *, write: bool = False) -> File | None:
        """Open an existing file, or return None when there is none."""
        try:
            fd = self.system.open(path, SAFE | (os.O_RDWR if write else os.O_RDONLY))
        except FileNotFoundError:
            return None
        except OSError as error:
            known = self.not_writable("open", path, error) if write else None
            raise known or self.not_readable(path, error) from error
        return self._checked(path, fd)

    def create(self, path: str, *, exclusive: bool = True) -> File:
        """Create a file, 0600. Its name is durable after `sync_folder` only."""
        flags = SAFE | os.O_RDWR | os.O_CREAT | (os.O_EXCL if exclusive else 0)
        try:
            fd = self.system.open(path, flags, 0o600)
            self.system.fchmod(fd, 0o600)
        except OSError as error:
            raise self.not_writable("create", path, error) from error
        return self._checked(path, fd)

    def read(self, path: str) -> bytes | None:
        """Return the whole content of a file, or None when there is none."""
        file = self.open(path)
        if file is None:
            return None
        with file:
            return file.read(0, file.size)

    def write_new(self, path: str, *parts: bytes | bytearray, sync: bool = True) -> None:
        """Write a file that does not exist yet. Its name is durable after `sync_folder` only."""
        with self.create(path) as file:
            for part in parts:
                file.write(part)
            if sync:
                file.sync()

    def replace(self, path: str, *parts: bytes | bytearray, sync: bool = True) -> None:
        """Put `parts` in the place of a file: the old content or the new one, never a mixture."""
        folder, name = os.path.split(path)
        aside = f"{folder}/.{name}.{os.getpid()}.new"
        self.remove(aside)
        self.write_new(aside, *parts, sync=sync)
        self.rename(aside, path)
        if sync:
            self.sync_folder(folder)

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        try:
            self.system.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self.not_writable("remove", path, error) from error

    def rename(self, source: str, target: str) -> None:
        """Give a file or folder another name."""
        try:
            self.system.rename(source, target)
        except OSError as error:
            raise self.not_writable("rename", source, error) from error

    def rename_folder(self, source: str, target: str) -> bool:
        """Give a folder its name; return False when a folder of that name has something in it."""
        try:
            self.system.rename(source, target)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                return False
            raise self.not_writable("rename", source, error) from error
        return True

    def link(self, source: str, target: str) -> None:
        """Give a file a second name; a target that exists stays as it is."""
        try:
            self.system.link(source, target)
        except FileExistsError:
            return
        except OSError as error:
            raise self.not_writable("link", target, error) from error

    def lock(self, file: File, *, wait: bool = False) -> bool:
        """Take the file's exclusive lock; return False when another process holds it."""
        try:
            self.system.flock(file.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError as error:
            raise self.not_writable("lock", file.path, error) from error
        return True

    # --- folders --------------------------------------------------------------------------------

    def make_folder(self, path: str) -> None:
        """Make a folder, 0700; one that is there is fine. Durable after the parent's sync only."""
        try:
            self.system.mkdir(path, 0o700)
            self.system.chmod(path, 0o700)
        except FileExistsError:
            return
        except OSError as error:
            raise self.not_writable("make folder", path, error) from error

    def make_folders(self, path: str) -> None:
        """Make a folder and the ones above it that are missing; durable after `sync_above` only."""
        if self.status(path) is not None:
            return
        self.make_folders(os.path.dirname(path))
        self.make_folder(path)

    def sync_above(self, path: str) -> None:
        """Sync every folder above `path` that may have been made for it: those that are ours."""
        while path != "/":
            path = os.path.dirname(path)
            found = self.status(path)
            if found is not None and found.st_uid == os.geteuid():
                self.sync_folder(path)

    def sync_folder(self, path: str) -> None:
        """Return when the names in a folder are on disk."""
        try:
            fd = self.system.open(path, SAFE | os.O_RDONLY | os.O_DIRECTORY)
            try:
                self.system.fsync(fd)
            finally:
                self.system.close(fd)
        except OSError as error:
            raise self.not_writable("sync folder", path, error) from error

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none when it is missing."""
        try:
            return sorted(self.system.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self.not_readable(path, error) from error

    def remove_folder(self, path: str) -> None:
        """Remove a folder with everything in it; links in it are removed, not followed."""
        for name in self.names(path):
            below = f"{path}/{name}"
            found = self.status(below)
            if found is not None and stat.S_ISDIR(found.st_mode):
                self.remove_folder(below)
            else:
                self.remove(below)
        try:
            self.system.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self.not_writable("remove", path, error) from error

    def status(self, path: str) -> os.stat_result | None:
        """Return what `path` is, links not followed, or None when there is nothing."""
        try:
            return self.system.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self.not_readable(path, error) from error

    # --- errors ---------------------------------------------------------------------------------

    def not_writable(self, action: str, path: str, error: OSError) -> NotWritable:
        return NotWritable(f"can't {action} {path}: {_reason(error)}", self.hint)

    def not_readable(self, path: str, error: OSError) -> StoreError:
        return StoreError(f"can't read {path}: {_reason(error)}", self.hint)

    def _checked(self, path: str, fd: int) -> File:
        try:
            found = self.system.fstat(fd)
        except OSError as error:
            self.system.close(fd)
            raise self.not_readable(path, error) from error
        if not stat.S_ISREG(found.st_mode):
            self.system.close(fd)
            raise StoreError(f"{path} is not a regular file", "Nothing was changed.")
        return File(self, path, fd, found.st_size)


def _full() -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a symbolic link, which is never followed here"
    return error.strerror or str(error)

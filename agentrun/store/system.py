"""The system calls of the store: the few that are used, and nothing around them.

The fault-injecting tests stand exactly here (tests/store/faulty_disk.py): everything that makes a
write durable is above this line and is tested with calls that fail, fall short, or forget.
"""

import fcntl
import os
from typing import Protocol


class System(Protocol):
    """The system calls of the store, as `os` and `fcntl` have them."""

    def open(self, path: str, flags: int, mode: int = 0o600) -> int: ...
    def close(self, fd: int) -> None: ...
    def pread(self, fd: int, size: int, offset: int) -> bytes: ...
    def pwrite(self, fd: int, data: bytes | bytearray | memoryview, offset: int) -> int: ...
    def fdatasync(self, fd: int) -> None: ...
    def fsync(self, fd: int) -> None: ...
    def ftruncate(self, fd: int, size: int) -> None: ...
    def fchmod(self, fd: int, mode: int) -> None: ...
    def fstat(self, fd: int) -> os.stat_result: ...
    def lstat(self, path: str) -> os.stat_result: ...
    def mkdir(self, path: str, mode: int) -> None: ...
    def chmod(self, path: str, mode: int) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def rename(self, source: str, target: str) -> None: ...
    def link(self, source: str, target: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def listdir(self, path: str) -> list[str]: ...
    def flock(self, fd: int, operation: int) -> None: ...


def _full_sync(fd: int) -> None:
    fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]


_FULL = hasattr(fcntl, "F_FULLFSYNC")
"""macOS: `fsync` hands the bytes to the drive, and only this call gets them out of its cache."""


class RealSystem:
    """The operating system."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pread = staticmethod(os.pread)
    pwrite = staticmethod(os.pwrite)
    fdatasync = staticmethod(_full_sync if _FULL else getattr(os, "fdatasync", os.fsync))
    fsync = staticmethod(_full_sync if _FULL else os.fsync)
    ftruncate = staticmethod(os.ftruncate)
    fchmod = staticmethod(os.fchmod)
    fstat = staticmethod(os.fstat)
    lstat = staticmethod(os.lstat)
    mkdir = staticmethod(os.mkdir)
    chmod = staticmethod(os.chmod)
    rmdir = staticmethod(os.rmdir)
    rename = staticmethod(os.rename)
    link = staticmethod(os.link)
    unlink = staticmethod(os.unlink)
    listdir = staticmethod(os.listdir)
    flock = staticmethod(fcntl.flock)

"""A file system in memory that forgets, tears, reorders and fails: the store's System for tests.

What a real one promises after a power cut, and no more:

- bytes written to a file survive when the file was synced after it; else each 512-byte sector of a
  write survives or not on its own, in any order, and what is missing reads as zeros or as the end;
- a name (create, mkdir, rename, link, unlink) survives when its folder was synced after it; else it
  may or may not;
- a rename is all or nothing; a sync that fails forgets what was to be written, and says so once.

`crash_at` cuts the power in the middle of the n-th call: from then on every call raises PowerCut.
`reboot` gives a system that holds what survived, by the luck of a `random.Random`.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

SECTOR = 512
Luck = Literal["none", "all", "random", "prefix", "zeros"]
LUCKS: tuple[Luck, ...] = ("none", "all", "random", "prefix", "zeros")


class PowerCut(BaseException):
    """The machine is off."""


@dataclass
class Write:
    offset: int
    data: bytes


@dataclass
class Resize:
    size: int


@dataclass(eq=False)
class Inode:
    number: int
    folder: bool
    mode: int = 0o600
    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[Write | Resize] = field(default_factory=list)
    names: dict[str, "Inode"] = field(default_factory=dict)
    durable_names: dict[str, "Inode"] = field(default_factory=dict)
    holder: int | None = None


@dataclass(eq=False)
class Naming:
    """A change of names, atomic: what each folder's name stands for after it."""

    changes: list[tuple[Inode, str, Inode | None]]


@dataclass
class Fault:
    """The calls from the `at`-th on (or only that one) fail with `code`, where `kinds` match."""

    at: int
    code: int
    persistent: bool = False
    kinds: frozenset[str] = frozenset()


@dataclass
class Opened:
    inode: Inode
    writable: bool


class FaultySystem:
    """See the module. `calls` counts; `trace` names the calls made."""

    def __init__(self, seed: int = 0) -> None:
        self.root = Inode(1, folder=True, mode=0o700)
        self.calls = 0
        self.trace: list[str] = []
        self.crash_at: int | None = None
        self.fault: Fault | None = None
        self.fired = 0
        self.short_writes = False
        self.off = False
        self.luck = Random(seed)
        self._numbers = 1
        self._fds: dict[int, Opened] = {}
        self._next_fd = 100
        self._namings: list[Naming] = []
        self.before_call: Callable[[str], None] | None = None

    # --- the calls ------------------------------------------------------------------------------

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        self._enter("open", path)
        parent, name = self._parent(path)
        inode = parent.names.get(name) if name else parent
        if inode is None:
            if not flags & os.O_CREAT:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            inode = self._inode(folder=False, mode=mode)
            self._name((parent, name, inode))
        elif flags & os.O_EXCL:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        if flags & os.O_DIRECTORY and not inode.folder:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        self._next_fd += 1
        self._fds[self._next_fd] = Opened(inode, bool(flags & (os.O_RDWR | os.O_WRONLY)))
        return self._next_fd

    def close(self, fd: int) -> None:
        if self.off:
            return
        inode = self._fds.pop(fd).inode
        if inode.holder == fd:
            inode.holder = None

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        self._enter("pread")
        return bytes(self._fds[fd].inode.data[offset : offset + size])

    def pwrite(self, fd: int, data: bytes | bytearray | memoryview, offset: int) -> int:
        opened = self._fds.get(fd)
        assert self.off or (opened is not None and opened.writable), "written without being open"
        whole = bytes(data)

        def part_of_it() -> None:
            assert opened is not None
            self._put(opened.inode, offset, whole[: self.luck.randint(0, len(whole))])

        self._enter("pwrite", partly=part_of_it)
        if self.short_writes and len(whole) > 1:
            whole = whole[: self.luck.randint(1, len(whole))]
        assert opened is not None
        self._put(opened.inode, offset, whole)
        return len(whole)

    def fdatasync(self, fd: int) -> None:
        self._sync("fdatasync", self._fds[fd].inode if not self.off else self.root)

    def fsync(self, fd: int) -> None:
        self._sync("fsync", self._fds[fd].inode if not self.off else self.root)

    def ftruncate(self, fd: int, size: int) -> None:
        self._enter("ftruncate")
        inode = self._fds[fd].inode
        inode.pending.append(Resize(size))
        _resize(inode.data, size)

    def fchmod(self, fd: int, mode: int) -> None:
        self._enter("fchmod")
        self._fds[fd].inode.mode = mode

    def fstat(self, fd: int) -> os.stat_result:
        self._enter("fstat")
        return _status(self._fds[fd].inode)

    def lstat(self, path: str) -> os.stat_result:
        self._enter("lstat", path)
        return _status(self._find(path))

    def mkdir(self, path: str, mode: int) -> None:
        self._enter("mkdir", path)
        parent, name = self._parent(path)
        if not name or name in parent.names:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self._name((parent, name, self._inode(folder=True, mode=mode)))

    def chmod(self, path: str, mode: int) -> None:
        self._enter("chmod", path)
        self._find(path).mode = mode

    def rmdir(self, path: str) -> None:
        self._enter("rmdir", path)
        if self._find(path).names:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        self._name((*self._parent(path), None))

    def rename(self, source: str, target: str) -> None:
        self._enter("rename", target)
        inode = self._find(source)
        parent, name = self._parent(target)
        there = parent.names.get(name)
        if there is not None and there.folder and there.names:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), target)
        self._name((*self._parent(source), None), (parent, name, inode))

    def link(self, source: str, target: str) -> None:
        self._enter("link", target)
        parent, name = self._parent(target)
        if name in parent.names:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        self._name((parent, name, self._find(source)))

    def unlink(self, path: str) -> None:
        self._enter("unlink", path)
        self._find(path)
        self._name((*self._parent(path), None))

    def listdir(self, path: str) -> list[str]:
        self._enter("listdir", path)
        inode = self._find(path)
        if not inode.folder:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return list(inode.names)

    def flock(self, fd: int, operation: int) -> None:
        self._enter("flock")
        inode = self._fds[fd].inode
        if inode.holder not in {None, fd}:
            assert operation & fcntl.LOCK_NB, "waits for ever: nobody else runs here"
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        inode.holder = fd

    # --- what happens to the machine ------------------------------------------------------------

    def kill(self) -> None:
        """The process dies; the machine goes on: locks are free, nothing written is lost."""
        for opened in self._fds.values():
            opened.inode.holder = None
        self._fds.clear()
        self.off = False
        self.crash_at = self.fault = None

    def reboot(self, luck: Luck, seed: int = 0) -> "FaultySystem":
        """Return the machine after a power cut: what was synced, and what luck left of the rest."""
        random = Random(seed)
        fresh = FaultySystem(seed)
        fresh._numbers = self._numbers
        for naming in self._surviving(luck, random):
            for folder, name, inode in naming.changes:
                _set(folder.durable_names, name, inode)
        fresh.root = _survivor(self.root, luck, random, {})
        return fresh

    def content(self, path: str) -> bytes:
        """Return a file's bytes, without a call being counted."""
        return bytes(self._find(path).data)

    def set_content(self, path: str, data: bytes) -> None:
        """Damage a file: its bytes become `data`, durably."""
        inode = self._find(path)
        inode.data, inode.durable, inode.pending = bytearray(data), data, []

    def paths(self) -> list[str]:
        """Return all files."""
        found: list[str] = []

        def walk(folder: Inode, path: str) -> None:
            for name, inode in sorted(folder.names.items()):
                if inode.folder:
                    walk(inode, f"{path}/{name}")
                else:
                    found.append(f"{path}/{name}")

        walk(self.root, "")
        return found

    def _surviving(self, luck: Luck, random: Random) -> list[Naming]:
        match luck:
            case "none":
                return []
            case "all" | "zeros":
                return self._namings
            case "prefix":
                return self._namings[: random.randint(0, len(self._namings))]
            case "random":
                return [naming for naming in self._namings if random.random() < 0.5]

    def _sync(self, kind: str, inode: Inode) -> None:
        try:
            self._enter(kind)
        except OSError:
            inode.pending.clear()  # the kernel counts the pages as clean after it told of the error
            raise
        if inode.folder:
            self._sync_names(inode)
            return
        durable = bytearray(inode.durable)
        for change in inode.pending:
            _replay(durable, change, "all", self.luck)
        inode.durable, inode.pending = bytes(durable), []

    def _sync_names(self, folder: Inode) -> None:
        left: list[Naming] = []
        for naming in self._namings:
            if any(changed is folder for changed, _, _ in naming.changes):
                for changed, name, inode in naming.changes:
                    _set(changed.durable_names, name, inode)
            else:
                left.append(naming)
        self._namings = left

    def _enter(self, kind: str, path: str = "", partly: Callable[[], None] = lambda: None) -> None:
        if self.off:
            raise PowerCut
        if self.before_call is not None:
            self.before_call(kind)
        self.calls += 1
        self.trace.append(f"{kind} {path}".strip())
        if self.crash_at is not None and self.calls >= self.crash_at:
            partly()
            self.off = True
            raise PowerCut
        fault = self.fault
        if fault is None or (fault.kinds and kind not in fault.kinds) or self.calls < fault.at:
            return
        if fault.persistent or not self.fired:
            self.fired += 1
            partly()
            raise OSError(fault.code, os.strerror(fault.code), path)

    def _put(self, inode: Inode, offset: int, data: bytes) -> None:
        inode.pending.append(Write(offset, data))
        _put(inode.data, offset, data)

    def _name(self, *changes: tuple[Inode, str, Inode | None]) -> None:
        for folder, name, inode in changes:
            _set(folder.names, name, inode)
        self._namings.append(Naming(list(changes)))

    def _inode(self, *, folder: bool, mode: int) -> Inode:
        self._numbers += 1
        return Inode(self._numbers, folder, mode)

    def _find(self, path: str) -> Inode:
        parent, name = self._parent(path)
        inode = parent.names.get(name) if name else parent
        if inode is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return inode

    def _parent(self, path: str) -> tuple[Inode, str]:
        assert path.startswith("/"), path
        *above, name = path.split("/")[1:]
        inode = self.root
        for part in above:
            below = inode.names.get(part)
            if below is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            if not below.folder:
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            inode = below
        return inode, name


def _survivor(inode: Inode, luck: Luck, random: Random, made: dict[int, Inode]) -> Inode:
    if inode.number in made:
        return made[inode.number]
    fresh = made[inode.number] = Inode(inode.number, inode.folder, inode.mode)
    if inode.folder:
        fresh.durable_names = {
            name: _survivor(below, luck, random, made)
            for name, below in inode.durable_names.items()
        }
        fresh.names = dict(fresh.durable_names)
        return fresh
    data = bytearray(inode.durable)
    changes = inode.pending
    if luck == "prefix":
        changes = changes[: random.randint(0, len(changes))]
    for change in changes if luck != "none" else []:
        _replay(data, change, luck, random)
    fresh.data, fresh.durable = data, bytes(data)
    return fresh


def _replay(data: bytearray, change: Write | Resize, luck: Luck, random: Random) -> None:
    if isinstance(change, Resize):
        if luck in {"all", "prefix", "zeros"} or random.random() < 0.5:
            _resize(data, change.size)
        return
    end = change.offset + len(change.data)
    if luck == "zeros":  # the size got to disk, the bytes did not
        _resize(data, max(len(data), end))
        return
    if luck == "random" and random.random() < 0.3:
        _resize(data, max(len(data), end))
    start = change.offset
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        if luck != "random" or random.random() < 0.5:
            _put(data, start, change.data[start - change.offset : stop - change.offset])
        start = stop


def _put(data: bytearray, offset: int, part: bytes) -> None:
    if part and len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(part)] = part


def _resize(data: bytearray, size: int) -> None:
    if size < len(data):
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def _set(names: dict[str, Inode], name: str, inode: Inode | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


def _status(inode: Inode) -> os.stat_result:
    mode = (stat.S_IFDIR if inode.folder else stat.S_IFREG) | inode.mode
    uid = os.geteuid()
    size = len(inode.data)
    return os.stat_result((mode, inode.number, 1, 1, uid, 0, size, 0, 0, 0))

"""The log of one attempt: `logs/<step>/<attempt>.log`, what it printed as it printed it.

Owns the file, its size limit and that no secret reaches it. The file holds the first
`head_bytes` and, once closed, the last `tail_bytes`, with a line between that says how much was
left out. A file that can't be written does not disturb the attempt: the error stands in `error`
for the runner, and nothing more is written. An attempt that prints nothing has no file.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from agentrun.steps.redact import Redactor

HEAD_BYTES = 16 * 1024 * 1024
TAIL_BYTES = 1024 * 1024
EXCERPT_HEAD_BYTES = 8 * 1024
SMALL_BYTES = 4 * 1024
NOTHING_SECRET = Redactor({})


class FileLog:
    """Implements `AttemptLog`. May be written from any thread."""

    def __init__(
        self,
        path: Path | Callable[[], Path],
        redactor: Redactor = NOTHING_SECRET,
        *,
        head_bytes: int = HEAD_BYTES,
        tail_bytes: int = TAIL_BYTES,
        watch: Callable[[bytes], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self.error: OSError | None = None
        self.last_write_monotonic = clock()
        self._stream = redactor.stream()
        self._room = head_bytes
        self._end = _End(tail_bytes)
        self._beginning = b""
        self._left_out = 0
        self._clock = clock
        self._watch = watch
        self._lock = threading.Lock()
        self._fd = -1
        self._closed = False

    @property
    def path(self) -> Path:
        """Return where the file is, or will be with the first byte."""
        return self._path if isinstance(self._path, Path) else self._path()

    def write(self, data: bytes) -> None:
        """Append what the attempt printed; nothing (`b""`) is a mere sign of life."""
        with self._lock:
            self.last_write_monotonic = self._clock()
            if data and not self._closed:
                self._take(self._stream.feed(data))

    def tail(self, max_bytes: int = 4096) -> str:
        """Return the end of what was printed, without secrets."""
        with self._lock:
            seen = self._end.last(max_bytes) + self._stream.pending()
        return seen[-max_bytes:].decode("utf-8", "replace")

    def excerpt(self, max_bytes: int = 24 * 1024) -> str:
        """Return the beginning and the end of what was printed, without secrets."""
        with self._lock:
            seen = self._end.last(self._end.limit) + self._stream.pending()
            left_out = self._end.total - self._end.held
            beginning = self._beginning
        if not left_out and len(seen) <= max_bytes:
            return seen.decode("utf-8", "replace")
        head = beginning[: max_bytes // 3]
        tail = seen[-(max_bytes - len(head)) :]
        return f"{head.decode('utf-8', 'replace')}\n[...]\n{tail.decode('utf-8', 'replace')}"

    def close(self) -> None:
        """Write what is still held back, and the end where the middle was left out."""
        with self._lock:
            if self._closed:
                return
            self._take(self._stream.flush())
            self._closed = True
            if self._left_out:
                self._write_end()
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _take(self, data: bytes) -> None:
        if not data:
            return
        if len(self._beginning) < EXCERPT_HEAD_BYTES:
            self._beginning += data[: EXCERPT_HEAD_BYTES - len(self._beginning)]
        self._end.append(data)
        if self._watch is not None:
            self._watch(data)
        self._put(data[: self._room])
        self._left_out += max(0, len(data) - self._room)
        self._room = max(0, self._room - len(data))

    def _write_end(self) -> None:
        end = self._end.last(min(self._left_out, self._end.limit))
        missing = self._left_out - len(end)
        if missing:
            self._put(f"\n[agentrun] {missing:,} bytes left out here\n".encode())
        self._put(end)

    def _put(self, data: bytes) -> None:
        if not data or self.error:
            return
        try:
            if self._fd < 0:
                self._fd = _open(self.path)
            view = memoryview(data)
            while view:  # a nearly full disk takes less than asked, without an error
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            self.error = error


class _End:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self.held = 0
        self._pieces: deque[bytes] = deque()

    def append(self, data: bytes) -> None:
        self.total += len(data)
        self.held += len(data)
        if self._pieces and len(self._pieces[-1]) + len(data) < SMALL_BYTES:
            self._pieces[-1] += (
                data  # a program that prints byte by byte must not cost an object each
            )
        else:
            self._pieces.append(data)
        while self.held - len(self._pieces[0]) >= self.limit:
            self.held -= len(self._pieces.popleft())

    def last(self, count: int) -> bytes:
        return b"".join(self._pieces)[-count:] if count > 0 else b""


def _open(path: Path) -> int:
    _make_folders(path.parent)
    _put_aside(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    os.fchmod(fd, 0o600)  # whatever the umask
    return fd


def _put_aside(path: Path) -> None:
    """Keep as `1.log.1` the log of an attempt that was forgotten on demand (`resume --from`): its
    number is given out again.
    """
    if path.is_symlink() or not path.is_file():
        return
    number = 1
    while os.path.lexists(f"{path}.{number}"):
        number += 1
    os.rename(path, f"{path}.{number}")


def _make_folders(folder: Path) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folders(folder.parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)

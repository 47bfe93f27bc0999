"""Our ends of a child's pipes: read and written by the event loop, never waited for."""

import asyncio
import os
from collections.abc import Callable

CHUNK_BYTES = 64 * 1024
LAST_READ_BYTES = 1024 * 1024
"""Most that is read at the end: more than a pipe holds, less than a daemon can print for ever."""


class PipeReader:
    """What the child prints, handed to `sink` as it comes."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, fd: int, sink: Callable[[bytes], None]
    ) -> None:
        self._loop, self._fd, self._sink = loop, fd, sink
        self.open = True
        self._watched = False
        os.set_blocking(fd, False)

    def begin(self) -> None:
        """Read from now on, whenever there is something."""
        if self.open and not self._watched:
            self._watched = True
            self._loop.add_reader(self._fd, self._read)

    def finish(self) -> None:
        """Read what is there, without waiting for more."""
        taken = 0
        while self.open and taken < LAST_READ_BYTES and (size := self._read()):
            taken += size

    def close(self) -> None:
        """Stop reading; whoever prints on gets a broken pipe."""
        if self.open:
            self.open = False
            if self._watched:
                self._loop.remove_reader(self._fd)
            os.close(self._fd)

    def _read(self) -> int:
        try:
            data = os.read(self._fd, CHUNK_BYTES)
        except BlockingIOError:
            return 0
        if data:
            self._sink(data)
        else:
            self.close()
        return len(data)


class PipeWriter:
    """What the child may read. One that does not read is left alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, data: bytes) -> None:
        self._loop, self._fd = loop, fd
        self._left = memoryview(data)
        self.open = True
        os.set_blocking(fd, False)

    def begin(self) -> None:
        """Write from now on, whenever there is room."""
        self._loop.add_writer(self._fd, self._write)

    def finish(self) -> None:
        """Write no more: the child has ended."""
        self.close()

    def close(self) -> None:
        """Close the pipe; the child sees the end of its input."""
        if self.open:
            self.open = False
            self._loop.remove_writer(self._fd)
            os.close(self._fd)

    def _write(self) -> None:
        try:
            self._left = self._left[os.write(self._fd, self._left) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it closed its stdin: it has all it wants
            self.close()
            return
        if not self._left:
            self.close()

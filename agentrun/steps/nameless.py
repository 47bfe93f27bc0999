"""Files without a name: how a large script, a job or a result passes between processes.

They live in memory where the system has that, else as an unlinked temporary file: nothing that
was in them can be found afterwards.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nameless_file(data: bytes = b"") -> Iterator[int]:
    """Yield the descriptor of such a file, positioned at its beginning."""
    fd = _create()
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def read_nameless(fd: int, limit: int) -> bytes:
    """Return what somebody wrote into the file, at most `limit` bytes of it."""
    size = min(os.fstat(fd).st_size, limit)
    data = b""
    while len(data) < size and (piece := os.pread(fd, size - len(data), len(data))):
        data += piece
    return data


def _create() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("agentrun")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())

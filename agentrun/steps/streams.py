"""Sends what a function prints to the log of its attempt, while other attempts run beside it.

Owns `sys.stdout` and `sys.stderr` while functions run in this process: a context variable says
whose log it is. A thread that a function started has no such variable, and its output goes to
stderr: agentrun's stdout carries the result and nothing else.
"""

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from agentrun.steps.kind import AttemptLog

STDOUT, STDERR = 1, 2

_log: ContextVar[AttemptLog | None] = ContextVar("agentrun_attempt_log", default=None)
_lock = threading.Lock()
_users = 0
_proxies: "list[_Stream]" = []


class PrintingTo:
    """While entered (by any number of tasks at once), what this context prints goes to the log."""

    __slots__ = ("_attempt_log", "_token")

    def __init__(self, log: AttemptLog) -> None:
        self._attempt_log = log

    def __enter__(self) -> None:
        _enter()
        self._token = _log.set(self._attempt_log)

    def __exit__(self, *_: object) -> None:
        _log.reset(self._token)
        _leave()


@contextmanager
def stdout_for_results() -> Iterator[None]:
    """While entered, only what is written to `sys.stdout` reaches stdout.

    A program that a function starts, and C code, write to descriptor 1 itself: it leads to stderr
    meanwhile, and `sys.stdout` to where it led before. Enter this before anything keeps hold of
    `sys.stdout`. Where `sys.stdout` is no file (a test's), nothing happens.
    """
    before = sys.stdout
    try:
        is_descriptor = before.fileno() == STDOUT
    except (OSError, ValueError):
        is_descriptor = False
    if not is_descriptor:
        yield
        return
    before.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    results = open(kept, "w", encoding=before.encoding, errors=before.errors)  # noqa: SIM115
    sys.stdout = results
    try:
        yield
    finally:
        sys.stdout = before
        try:
            results.flush()
        finally:
            os.dup2(kept, STDOUT)
            with contextlib.suppress(OSError):  # what it is about was said by the flush
                results.close()


def _enter() -> None:
    global _users  # noqa: PLW0603 - the process has one stdout
    with _lock:
        _users += 1
        if _users > 1:
            return
        if [proxy.real for proxy in _proxies] != [sys.stdout, sys.stderr]:
            _proxies[:] = [_Stream(sys.stdout), _Stream(sys.stderr)]
        sys.stdout, sys.stderr = _proxies


def _leave() -> None:
    global _users  # noqa: PLW0603
    with _lock:
        _users -= 1
        if _users == 0:
            out, err = _proxies
            # somebody may have put a stream of its own in front meanwhile: leave it
            if sys.stdout is out:
                sys.stdout = out.real
            if sys.stderr is err:
                sys.stderr = err.real


class _Stream(io.TextIOBase):
    def __init__(self, real: TextIO) -> None:
        self.real = real
        self.buffer = _Buffer(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def write(self, text: str) -> int:
        log = _log.get()
        if log is None:
            return self.others().write(text)
        log.write(text.encode("utf-8", "replace"))
        return len(text)

    def others(self) -> TextIO:
        """Where output goes that belongs to no attempt."""
        if threading.current_thread() is threading.main_thread():
            return self.real
        stderr = sys.stderr
        return stderr.real if isinstance(stderr, _Stream) else stderr

    def flush(self) -> None:
        if _log.get() is None:
            self.others().flush()

    def close(self) -> None:
        """Stay open: it is not the function's to close, nor the garbage collector's."""

    def isatty(self) -> bool:
        return _log.get() is None and self.real.isatty()

    def fileno(self) -> int:
        return self.real.fileno()

    def writable(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _Buffer(io.RawIOBase):
    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        log = _log.get()
        if log is None:
            return self._stream.others().buffer.write(data)
        log.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        if _log.get() is None:
            self._stream.others().buffer.flush()

    def close(self) -> None:
        """Stay open."""

    def writable(self) -> bool:
        return True

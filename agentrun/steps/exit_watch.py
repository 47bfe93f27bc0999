"""Tells the loop that a child has ended, without reaping it: its pid stays taken until we say so.

On Linux by a pidfd, which costs no thread and no signal handler; elsewhere by looking.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable

from agentrun.steps.proc_table import process_start_time

FIRST_LOOK_S = 0.002
LONGEST_PAUSE_S = 0.05


class ExitWatch:
    """Calls back once when the process has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pid: int, call: Callable[[], None]) -> None:
        self._loop, self._pid, self._call = loop, pid, call
        self._handle = -1
        self._timer: asyncio.TimerHandle | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except (AttributeError, OSError):  # not Linux, or forbidden in this container
            self._look(FIRST_LOOK_S)
            return
        loop.add_reader(self._handle, self._ended)

    def close(self) -> None:
        """Stop watching."""
        if self._timer:
            self._timer.cancel()
        if self._handle >= 0:
            self._loop.remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1

    def _ended(self) -> None:
        self.close()
        self._call()

    def _look(self, pause_s: float) -> None:
        if _has_ended(self._pid):
            self._call()
            return
        self._timer = self._loop.call_later(
            pause_s, self._look, min(pause_s * 1.5, LONGEST_PAUSE_S)
        )


def _has_ended(pid: int) -> bool:
    with contextlib.suppress(AttributeError):  # macOS has it from Python 3.13 on
        try:
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True
    return process_start_time(pid) is None

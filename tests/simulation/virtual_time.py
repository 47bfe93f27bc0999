"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
from typing import Any


class Stuck(AssertionError):
    """Nothing is ready and no timer is set: the program under test would hang for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order of their times; nothing ever blocks, there are no threads.

    Everything that is scheduled lies on multiples of 1/64 s, which floats hold exactly: so a run
    of the same seed makes the same comparisons on any machine.
    """

    def __init__(self, now_s: float) -> None:
        super().__init__()
        self._now_s = now_s
        self._clock_resolution = 1e-9
        self._selector = self
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    def select(self, timeout: float | None) -> list[Any]:
        """Stand in for the selector: let the time pass that it would have waited."""
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        self._now_s += timeout
        return []

    def _process_events(self, _events: list[Any]) -> None:
        """There are no files."""

    def _write_to_self(self) -> None:
        """There are no threads to wake the loop."""

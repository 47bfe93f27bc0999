"""Signals that ask a run to stop, caught from before its event loop exists until after it is gone.

The handlers are not set by the loop's `add_signal_handler`, whose checks import inspect (6 ms in
all). They are set before `asyncio.run`, which would otherwise install its own for SIGINT.
A SIGHUP that was ignored when agentrun was started stays ignored: that is what `nohup` asks for.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Self

from agentrun.steps.quick import interrupt

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While entered, passes the name of each such signal to the function given to `tell`."""

    def __init__(self) -> None:
        self._early: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: Callable[[str], None] = self._early.append

    def tell(self, stop: Callable[[str], None]) -> None:
        """Call `stop` with the name of each signal, including those that have come already."""
        self._loop, self._told = asyncio.get_running_loop(), stop
        for name in self._early:
            stop(name)

    def leave_loop(self) -> None:
        """Say that the loop ends: nobody listens any more."""
        self._loop, self._told = None, self._early.append

    def _take(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self._loop is None:
            self._told(name)
        else:
            self._loop.call_soon_threadsafe(self._told, name)
            interrupt()

    def __enter__(self) -> Self:
        under_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        taken = [each for each in STOP_SIGNALS if each != signal.SIGHUP or not under_nohup]
        self._before = {number: signal.signal(number, self._take) for number in taken}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

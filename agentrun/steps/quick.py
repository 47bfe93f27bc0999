"""Calls functions where it costs least: a quick one that is alone on the loop, others in a thread.

A thread costs two wake-ups, 60 µs on a machine that is idle and up to 8 ms on one that is busy. A
function that has mostly ended within QUICK_S is called on the loop itself from then on, but only
while no other attempt runs: nothing can be held up by it, and nothing it may wait for. One such
call that takes longer than SLOW_S puts it under watch; another one among the next WATCHED_CALLS,
when it waited or computed (not another process had the processor), and it never is again: a wrong
guess delays a timer or a letter twice. A stop signal that comes meanwhile is raised in the
function. A function that runs an event loop of its own finds none running, as in a thread.
"""

import asyncio
import contextvars
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from agentrun.steps.threads import THREADS, Threads

QUICK_S = 0.0005
SLOW_S = 0.005
PROOFS = 3
WATCHED_CALLS = 100
_ALLOWED = sys.version_info < (3, 14)
"""From 3.14 on the running task belongs to the thread: no second loop can run below it."""
_OF_THREAD: int | None = getattr(resource, "RUSAGE_THREAD", None)

_calling = False
_interrupted = False


def interrupt() -> None:
    """End the function that is being called on the loop, if any: for handlers of stop signals."""
    global _interrupted  # noqa: PLW0603 - a process has one main thread, and signals come to it
    if _calling:
        _interrupted = True
        raise KeyboardInterrupt


class Calls:
    """Calls functions by name, and remembers how long they took."""

    def __init__(
        self, threads: Threads = THREADS, monotonic: Callable[[], float] = time.perf_counter
    ) -> None:
        self._threads, self._monotonic = threads, monotonic
        self._proofs: dict[str, int] = {}
        self._watched: dict[str, int] = {}

    def is_quick(self, name: str) -> bool:
        """Return whether the function would be called on the loop if it were alone there."""
        return _ALLOWED and self._proofs.get(name, 0) >= PROOFS

    async def call(self, name: str, function: Callable[[], Any], *, alone: bool) -> Any:
        """Return what the function returns, which must not raise. `alone`: nothing else runs."""
        context = contextvars.copy_context()
        if alone and self.is_quick(name):
            return await self._on_the_loop(name, context, function)
        proofs = self._proofs.get(name, 0)
        result, spent_s = await self._threads.call(lambda: self._timed(context, function))
        if hasattr(type(result), "__await__"):  # how long it takes is not known yet
            self._proofs[name] = -1
        elif proofs >= 0:
            self._proofs[name] = proofs + 1 if spent_s <= QUICK_S else max(0, proofs - 1)
        return result

    async def _on_the_loop(
        self, name: str, context: contextvars.Context, function: Callable[[], Any]
    ) -> Any:
        global _calling, _interrupted  # noqa: PLW0603
        loop = asyncio.get_running_loop()
        result, spent_s = None, 0.0
        watched = self._watched.get(name, 0)
        used = _used() if watched else (0.0, 0.0)
        asyncio._set_running_loop(None)  # noqa: SLF001 - documented for those who run loops
        try:
            _calling = True
            result, spent_s = self._timed(context, function)
            _calling = False
        except KeyboardInterrupt:  # it came before or after the function
            _calling = False
        finally:
            asyncio._set_running_loop(loop)  # noqa: SLF001
        if _interrupted:
            _interrupted = False
            await loop.create_future()  # the attempt is cancelled in a moment
        if hasattr(type(result), "__await__"):
            self._proofs[name] = -1
        elif spent_s > SLOW_S:
            if watched and _was_its_own(used, _used()):
                self._proofs[name] = -1
            self._watched[name] = WATCHED_CALLS
        elif watched:
            self._watched[name] = watched - 1
        return result

    def _timed(
        self, context: contextvars.Context, function: Callable[[], Any]
    ) -> tuple[Any, float]:
        began = self._monotonic()
        result = context.run(function)
        return result, self._monotonic() - began


def _used() -> tuple[float, float]:
    """Return how often this thread has gone to sleep by itself, and the seconds it has computed."""
    if _OF_THREAD is None:
        return time.monotonic(), 0.0  # it can't be told: every slow call counts
    return resource.getrusage(_OF_THREAD).ru_nvcsw, time.thread_time()


def _was_its_own(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Return whether the time between went by in sleeping or computing, not in awaiting a turn."""
    return after[0] > before[0] or after[1] - before[1] > SLOW_S


CALLS = Calls()

"""A few threads that call functions for the event loop.

Unlike an executor's they are daemons: a function that hangs does not keep agentrun from ending. A
call costs one wake-up of the loop. Threads are started as needed and kept.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

MAX_THREADS = 64

_Call = tuple[Callable[[], Any], asyncio.Future[Any], asyncio.AbstractEventLoop]


class Threads:
    """Calls functions away from the loop; more than `MAX_THREADS` at once wait their turn."""

    def __init__(self, max_threads: int = MAX_THREADS) -> None:
        self._max = max_threads
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._count = 0

    async def call(self, function: Callable[[], Any]) -> Any:
        """Return what the function returns, which must not raise."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._count < self._max:
                self._count += 1
                threading.Thread(target=self._work, name="agentrun-python", daemon=True).start()
        self._calls.put((function, done, loop))
        return await done

    def _work(self) -> None:
        while True:
            function, done, loop = self._calls.get()
            result = function()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, done, result)
            del function, done, loop, result
            with self._lock:
                self._idle += 1


def _settle(done: asyncio.Future[Any], result: Any) -> None:
    if not done.done():
        done.set_result(result)


THREADS = Threads()

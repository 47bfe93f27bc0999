"""Coroutines that are begun at once, where asyncio would begin them in the loop's next turn.

Python 3.12 has `eager_start` for tasks; this is the part of it that agentrun needs, on 3.11 too. Up
to where it first waits the coroutine runs in the caller's task: it must not ask for its own. It has
a context of its own from its start to its end, as a task has.
"""

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from types import coroutine
from typing import Any


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run `work` up to where it first waits; return what goes on with it, None when it is over."""
    context = copy_context()
    try:
        waits_for = context.run(work.send, None)
    except StopIteration:
        return None
    loop = asyncio.get_running_loop()
    return loop.create_task(_going_on(work, waits_for), context=context)


async def _going_on(work: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await _rest(work, waits_for)


@coroutine
def _rest(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Wait for what `work` waits for and go on with it, as `await work` would from its start."""
    try:
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is raised where `work` waits
                waits_for = work.throw(error)
            else:
                waits_for = work.send(sent)
    except StopIteration:
        return

"""Calls a user's function and turns whatever happens into an outcome.

Owns the one border of this package where an exception becomes evidence: `BaseException` included,
since a function that calls `sys.exit()` ends its attempt, not agentrun. A cancellation that came
from outside passes. A process that the function forked ends here: it must not go on as agentrun.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps.json_value import to_json
from agentrun.steps.output import BadOutput
from agentrun.steps.raised import evidence_of
from agentrun.steps.target import find_function

CO_COROUTINE = 0x80
"""The flag of an `async def` in `co_flags`, as in `inspect`, whose import takes 6 ms."""

Outcome = Success | Evidence


def call(function: Callable[[], Any]) -> Any:
    """Return what the function returned (an awaitable as it is), or the evidence of its failure."""
    process = os.getpid()
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - the step border
        _end_if_forked(process, error)
        return evidence_of(error)
    _end_if_forked(process)
    return result


def call_target(
    target: str, base_dir: Path, with_: Json, known: Callable[..., Any] | None = None
) -> Any:
    """Find the function, unless it is known, and call it with `with` as keywords; as `call`."""
    return call(lambda: (known or find_function(target, base_dir))(**keywords_of(with_)))


def is_async(function: Callable[..., Any] | None) -> bool:
    """Return whether this is an `async def`: calling it only makes what is then awaited."""
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & CO_COROUTINE)


def is_awaitable(result: Any) -> bool:
    """Return whether this can be awaited; the question to `Awaitable` itself takes a µs."""
    return hasattr(type(result), "__await__")


async def settle(result: Any) -> Outcome:
    """Await what was returned where that is called for, and give it its JSON form."""
    import asyncio

    process = os.getpid()
    try:
        if is_awaitable(result):
            result = await result
    except asyncio.CancelledError as error:
        _end_if_forked(process, error)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return evidence_of(error)  # the function raised it by itself
    except BaseException as error:  # noqa: BLE001 - the step border
        _end_if_forked(process, error)
        return evidence_of(error)
    _end_if_forked(process)
    return outcome_of(result)


def _end_if_forked(process: int, error: BaseException | None = None) -> None:
    """End this process, as Python would, if it is not the one that made the call."""
    if os.getpid() == process:
        return
    code = error.code if isinstance(error, SystemExit) else int(error is not None)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def outcome_of(result: Any) -> Outcome:
    """Return the success that a returned value means, or why it can't be one."""
    if isinstance(result, Evidence):
        return result
    try:
        return Success(output=to_json(result))
    except BadOutput as error:
        return Evidence(
            channel="python",
            text=f"the function returned something that is not JSON: {error.message}",
            exception="BadOutput",
            mro=("BadOutput", "ValueError", "Exception"),
        )


def keywords_of(with_: Json) -> Mapping[str, Any]:
    """Return the keywords to call with, the function's own: the values it is given are also those
    of the task, which it must not change. Raises TypeError when `with` is no map.
    """
    if with_ is None:
        return {}
    if not isinstance(with_, dict):
        raise TypeError(f"`with` must be a map of keywords, not {type(with_).__name__}")
    own: Mapping[str, Any] = msgspec.to_builtins(with_)
    return own

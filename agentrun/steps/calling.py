"""Calls a user's function and turns whatever happens into an outcome.

Owns the one border of this package where an exception becomes evidence: `BaseException` included,
since a function that calls `sys.exit()` ends its attempt, not agentrun. A cancellation that came
from outside passes.
"""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps import target as target_module
from agentrun.steps.json_value import to_json
from agentrun.steps.output import BadOutput

Outcome = Success | Evidence
MAX_CAUSES = 20


def call(function: Callable[[], Any]) -> Any:
    """Return what the function returned (an awaitable as it is), or the evidence of its failure."""
    try:
        return function()
    except BaseException as error:  # noqa: BLE001 - the step border
        return evidence_of(error)


def call_target(target: str, base_dir: Path, with_: Json) -> Any:
    """Find the function and call it with `with` as keywords; as `call`."""
    return call(lambda: target_module.find_function(target, base_dir)(**keywords_of(with_)))


async def settle(result: Any) -> Outcome:
    """Await what was returned where that is called for, and give it its JSON form."""
    import asyncio

    try:
        if isinstance(result, Awaitable):
            result = await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return evidence_of(error)  # the function raised it by itself
    except BaseException as error:  # noqa: BLE001 - the step border
        return evidence_of(error)
    return outcome_of(result)


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
    """Return the keywords to call with. Raises TypeError when `with` is no map."""
    if with_ is None:
        return {}
    if not isinstance(with_, dict):
        raise TypeError(f"`with` must be a map of keywords, not {type(with_).__name__}")
    return with_


def evidence_of(error: BaseException) -> Evidence:
    """Return the evidence an exception is, its traceback without agentrun's own frames."""
    exit_code = error.code if isinstance(error, SystemExit) else None
    return Evidence(
        channel="python",
        text=traceback_of(error),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        exception=_name(type(error)),
        mro=tuple(_name(base) for base in type(error).__mro__[:-1]),
        causes=tuple(_name(type(cause)) for cause in _causes(error)),
        status=_status(error),
    )


def traceback_of(error: BaseException) -> str:
    """Return the traceback from the user's first frame on."""
    frames = error.__traceback__
    while frames and frames.tb_next and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


_OURS = (__file__, target_module.__file__, "<frozen importlib")


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS)


def _name(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(found) < MAX_CAUSES and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None

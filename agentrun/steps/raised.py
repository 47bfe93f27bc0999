"""An exception as evidence: its type, its ancestry, its causes, and the traceback a person needs.

Owns what is read off an exception. Refuses to judge it. Frames of agentrun itself are left out of
tracebacks: they say nothing about the function that failed.
"""

import importlib
import re
import traceback
from pathlib import Path

from agentrun.core.failure import Channel, Evidence
from agentrun.steps.target import FILE_MODULE

MAX_CAUSES = 20

_OF_A_FILE = re.compile(rf"\b{FILE_MODULE}[0-9a-f]+_")
_OURS = (str(Path(__file__).parent), importlib.__file__, "<frozen importlib")


def evidence_of(
    error: BaseException, channel: Channel = "python", text: str | None = None
) -> Evidence:
    """Return the evidence an exception is; `text` stands in for its traceback."""
    exit_code = error.code if isinstance(error, SystemExit) else None
    return Evidence(
        channel=channel,
        text=traceback_of(error) if text is None else text,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        exception=_name(type(error)),
        mro=tuple(_name(base) for base in type(error).__mro__[:-1]),
        causes=tuple(_name(type(cause)) for cause in causes_of(error, hidden=channel == "http")),
        status=_status(error),
    )


def traceback_of(error: BaseException) -> str:
    """Return the traceback from the user's first frame on; none when there is no such frame."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    chain = frames is not None  # what is not the user's own has no story to tell
    lines = traceback.format_exception(type(error), error, frames, chain=chain)
    return _OF_A_FILE.sub("", "".join(lines))


def causes_of(error: BaseException, *, hidden: bool = False) -> list[BaseException]:
    """Return what the exception came from, the nearest first.

    `hidden` includes what was cut off by `from None`: HTTP clients hide the socket's error so.
    """
    found: list[BaseException] = []
    queue = [error]
    while queue and len(found) < MAX_CAUSES:
        one = queue.pop(0)
        members = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        context = None if one.__suppress_context__ and not hidden else one.__context__
        for cause in (*members, one.__cause__ or context):
            if cause is not None and not any(cause is known for known in (error, *found)):
                found.append(cause)
                queue.append(cause)
    return found


def _name(kind: type) -> str:
    """Return the name of a class; a file is called as its author calls it."""
    if kind.__module__ == "builtins":
        return kind.__name__
    return f"{_OF_A_FILE.sub('', kind.__module__)}.{kind.__name__}"


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that the common clients leave on their exceptions."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None

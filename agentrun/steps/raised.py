"""An exception as evidence: its type, its ancestry, its causes, and the traceback a person needs.

Owns what is read off an exception of any library, without importing that library: its chain, an
attached response. Refuses to judge it. Frames of agentrun itself are left out of
tracebacks: they say nothing about the function that failed.
"""

import importlib
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agentrun.core.failure import Channel, Evidence
from agentrun.steps.target import FILE_MODULE

MAX_CAUSES = 20
MAX_WORDS_CHARS = 64 * 1024

NO_HEADERS: Mapping[str, str] = {}
_T = TypeVar("_T")

_OF_A_FILE = re.compile(rf"\b{FILE_MODULE}[0-9a-f]+_")
_OURS = (str(Path(__file__).parent), importlib.__file__, "<frozen importlib")


def evidence_of(
    error: BaseException, channel: Channel = "python", text: str | None = None
) -> Evidence:
    """Return the evidence an exception is; `text` stands in for its traceback. Never raises.

    Status, headers and body are those of the exception and of what it wraps, not of its causes: one
    that was handled on the way says nothing of how far the function came.
    """
    exit_code = error.code if isinstance(error, SystemExit) else None
    causes = causes_of(error, hidden=channel == "http")
    same = _with_wrapped(error)
    return Evidence(
        channel=channel,
        text=_told(error, same, causes) if text is None else text,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        exception=_name(type(error)),
        mro=tuple(_name(base) for base in type(error).__mro__[:-1]),
        causes=tuple(_name(type(cause)) for cause in causes),
        status=next((status for each in same if (status := _status(each)) is not None), None),
        headers=next((headers for each in same if (headers := _headers(each))), NO_HEADERS),
    )


def _told(
    error: BaseException, same: Sequence[BaseException], causes: Sequence[BaseException]
) -> str:
    """Return the traceback, below what it does not repeat: a response, and wrapped causes."""
    text = traceback_of(error)
    body = next((body for each in same if (body := _body(each))), "")
    said = (body, *(f"{_name(type(cause))}: {_words(cause)}" for cause in causes))
    return "\n".join([*(each for each in said if each not in text), text])


def traceback_of(error: BaseException) -> str:
    """Return the traceback from the user's first frame on; none when there is no such frame."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    chain = frames is not None  # what is not the user's own has no story to tell
    lines = traceback.format_exception(type(error), error, frames, chain=chain)
    return _OF_A_FILE.sub("", "".join(lines))


def causes_of(error: BaseException, *, hidden: bool = False) -> list[BaseException]:
    """Return what the exception came from, the nearest first, wrappers and groups looked through.

    `hidden` includes what was cut off by `from None`: HTTP clients hide the socket's error so.
    """
    found = [error]
    for one in found:  # it grows meanwhile
        for cause in _behind(one, hidden=hidden):
            if len(found) <= MAX_CAUSES and not any(cause is known for known in found):
                found.append(cause)
    return found[1:]


def _behind(error: BaseException, *, hidden: bool) -> Iterator[BaseException]:
    context = None if error.__suppress_context__ and not hidden else error.__context__
    args = _peek(error, "args")
    candidates = (
        *(error.exceptions if isinstance(error, BaseExceptionGroup) else ()),
        error.__cause__ or context,
        *_wrapped(error),
        *(args[:4] if isinstance(args, tuple) else ()),
    )
    return (candidate for candidate in candidates if isinstance(candidate, BaseException))


def _with_wrapped(error: BaseException) -> list[BaseException]:
    found = [error]
    for one in found:  # it grows meanwhile
        new = (each for each in _wrapped(one) if not any(each is known for known in found))
        found += list(new)[: MAX_CAUSES - len(found)]
    return found


def _wrapped(error: BaseException) -> list[BaseException]:
    """Return what the exception only stands for: tenacity's `last_attempt`, urllib3's and requests'
    `reason`, SQLAlchemy's `orig`.
    """
    attempt = _peek(error, "last_attempt")
    ended = isinstance(attempt, Future) and attempt.done() and not attempt.cancelled()
    found = (
        attempt.exception() if isinstance(attempt, Future) and ended else None,
        _peek(error, "reason"),
        _peek(error, "orig"),
    )
    return [each for each in found if isinstance(each, BaseException)]


def _name(kind: type) -> str:
    """Return the name of a class; a file is called as its author calls it."""
    module = kind.__module__
    if module == "builtins" or not isinstance(module, str):
        return kind.__name__
    return f"{_OF_A_FILE.sub('', module)}.{kind.__name__}"


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that the common clients leave on their exceptions."""
    response = _peek(error, "response")
    candidates = (
        *(
            _peek(holder, name)
            for holder in (error, response)
            for name in ("status_code", "status")
        ),
        _aws_metadata(response).get("HTTPStatusCode"),
    )
    return next((each for each in candidates if isinstance(each, int) and 100 <= each < 600), None)


def _headers(error: BaseException) -> Mapping[str, str]:
    """Return the headers of the response: they tell how long to wait."""
    response = _peek(error, "response")
    aws = _aws_metadata(response).get("HTTPHeaders")
    for headers in (_peek(response, "headers"), _peek(error, "headers"), aws):
        if found := _safely(partial(_texts, headers), NO_HEADERS):
            return found
    return NO_HEADERS


def _texts(headers: Any) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in headers.items()}


def _body(error: BaseException) -> str:
    """Return the response's body, where a provider says what is really wrong: one that was read
    already, since reading may wait without end. One that is too long is left out whole: cut off, it
    might end in half of a secret, which nothing would recognise.
    """
    response = _peek(error, "response")
    held = (_held(error, "body"), _held(response, "text"), _held(response, "_content"))
    for body in held:
        if isinstance(body, bytes) and len(body) <= MAX_WORDS_CHARS:
            return body.decode("utf-8", "replace")
        if isinstance(body, str | dict | list) and 0 < len(body) <= MAX_WORDS_CHARS:
            return _words(body)
    return ""


def _aws_metadata(response: object) -> Mapping[str, object]:
    """Read botocore's `ClientError.response`, which is a plain dict."""
    found = response.get("ResponseMetadata") if isinstance(response, dict) else None
    return found if isinstance(found, dict) else {}


def _words(said: object) -> str:
    words = _safely(lambda: str(said), "")
    return words if len(words) <= MAX_WORDS_CHARS else ""


def _held(owner: object, name: str) -> object:
    """Return an attribute that is there already: a property might do anything."""
    held = _peek(owner, "__dict__")
    return held.get(name) if isinstance(held, dict) else None


def _peek(owner: object, name: str) -> object:
    return _safely(lambda: getattr(owner, name, None), None)


def _safely(look: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return look()
    except Exception:  # noqa: BLE001 - other people's code: reading evidence must not fail, too
        return otherwise

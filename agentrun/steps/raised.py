"""An exception as evidence: its type, its ancestry, its causes, and the traceback a person needs.

Owns what is read off an exception of any library, without importing that library: its chain, an
attached response. Refuses to judge it. Frames of agentrun itself are left out of
tracebacks: they say nothing about the function that failed.
"""

import importlib
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agentrun.core.failure import Channel, Evidence
from agentrun.steps.target import FILE_MODULE

MAX_CAUSES = 20
MAX_BODY_CHARS = 4096

_OF_A_FILE = re.compile(rf"\b{FILE_MODULE}[0-9a-f]+_")
_OURS = (str(Path(__file__).parent), importlib.__file__, "<frozen importlib")


def evidence_of(
    error: BaseException, channel: Channel = "python", text: str | None = None
) -> Evidence:
    """Return the evidence an exception is; `text` stands in for its traceback."""
    exit_code = error.code if isinstance(error, SystemExit) else None
    chain = [error, *causes_of(error, hidden=channel == "http")]
    return Evidence(
        channel=channel,
        text=_told(error, chain) if text is None else text,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        exception=_name(type(error)),
        mro=tuple(_name(base) for base in type(error).__mro__[:-1]),
        causes=tuple(_name(type(cause)) for cause in chain[1:]),
        status=next((each for link in chain if (each := _status(link)) is not None), None),
        headers=next((found for link in chain if (found := _headers(link))), {}),
    )


def _told(error: BaseException, chain: Sequence[BaseException]) -> str:
    """Return the traceback, below what it does not repeat: a response, and wrapped causes."""
    text = traceback_of(error)
    causes = (f"{_name(type(cause))}: {_words(cause)}" for cause in chain[1:])
    said = (next((each for link in chain if (each := _body(link))), ""), *causes)
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
    """Return what the exception came from, the nearest first. Wrappers are looked through: groups,
    tenacity's `last_attempt`, urllib3's and requests' `reason`, SQLAlchemy's `orig`, arguments.

    `hidden` includes what was cut off by `from None`: HTTP clients hide the socket's error so.
    """
    found = [error]
    for one in found:  # it grows meanwhile
        for cause in _behind(one, hidden=hidden):
            if len(found) <= MAX_CAUSES and not any(cause is known for known in found):
                found.append(cause)
    return found[1:]


def _behind(error: BaseException, *, hidden: bool) -> Iterator[BaseException]:
    candidates = (
        *(error.exceptions if isinstance(error, BaseExceptionGroup) else ()),
        error.__cause__,
        None if error.__suppress_context__ and not hidden else error.__context__,
        _peek(error, "orig"),
        _peek(error, "reason"),
        _last_attempt(error),
        *error.args[:4],
    )
    return (candidate for candidate in candidates if isinstance(candidate, BaseException))


def _last_attempt(error: BaseException) -> object:
    """Return what tenacity's RetryError wraps: a finished future's exception."""
    future = _peek(error, "last_attempt")
    done, exception = _peek(future, "done"), _peek(future, "exception")
    return exception() if callable(done) and callable(exception) and done() else None


def _name(kind: type) -> str:
    """Return the name of a class; a file is called as its author calls it."""
    if kind.__module__ == "builtins":
        return kind.__name__
    return f"{_OF_A_FILE.sub('', kind.__module__)}.{kind.__name__}"


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


def _headers(error: BaseException) -> dict[str, str]:
    """Return the headers of the response: they tell how long to wait."""
    response = _peek(error, "response")
    aws = _aws_metadata(response).get("HTTPHeaders")
    for headers in (_peek(response, "headers"), _peek(error, "headers"), aws):
        items = _peek(headers, "items")
        if headers and callable(items):
            return {str(name): str(value) for name, value in items()}
    return {}


def _body(error: BaseException) -> str:
    """Return the response's body, where a provider says what is really wrong."""
    for body in (_peek(error, "body"), _peek(_peek(error, "response"), "text")):
        if isinstance(body, bytes):
            return body[:MAX_BODY_CHARS].decode("utf-8", "replace")
        if isinstance(body, str | dict | list) and body:
            return str(body)[:MAX_BODY_CHARS]
    return ""


def _aws_metadata(response: object) -> Mapping[str, object]:
    """Read botocore's `ClientError.response`, which is a plain dict."""
    found = response.get("ResponseMetadata") if isinstance(response, dict) else None
    return found if isinstance(found, dict) else {}


def _words(error: BaseException) -> str:
    try:
        return str(error)[:MAX_BODY_CHARS]
    except Exception:  # noqa: BLE001 - a __str__ that fails says nothing
        return ""


def _peek(owner: object, name: str) -> object:
    """Return an attribute of a foreign object, whose property may raise anything."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - reading evidence must not become a second failure
        return None

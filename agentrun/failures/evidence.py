"""Evidence from what is at hand: a caught exception, or one line of `classify --jsonl`.

Owns how exceptions of other people's libraries are read (chains, groups, retry wrappers, attached
responses) without importing any of those libraries, and the strict reading of foreign JSON.
Refuses to judge.
"""

import signal as signals
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from agentrun.core.failure import Channel, Evidence

MAX_CHAIN = 16
"""How many exceptions of one chain or group are looked at."""
MAX_TEXT_CHARS = 128 * 1024
MAX_DIGITS = 12
"""Length limit of a number that is written as a text."""

_CHANNELS: tuple[str, ...] = get_args(Channel)


# -- from an exception ------------------------------------------------------------------------


def from_exception(exc: BaseException, channel: Channel = "python") -> Evidence:
    """Everything the exception and what caused it say, as one piece of evidence.

    Wrappers are looked through: `__cause__`, `__context__`, groups, tenacity's `last_attempt`,
    urllib3's and requests' `reason`, SQLAlchemy's `orig`.
    """
    chain = list(_chain(exc))
    causes = tuple(dict.fromkeys(_type_name(type(cause)) for cause in chain[1:]))
    return Evidence(
        channel=channel,
        text=_text_of(chain),
        exception=_type_name(type(exc)),
        mro=tuple(_type_name(base) for base in type(exc).__mro__ if base is not object),
        causes=causes,
        status=next((status for link in chain if (status := _status_of(link)) is not None), None),
        headers=next((headers for link in chain if (headers := _headers_of(link))), {}),
    )


def _chain(exc: BaseException) -> Iterator[BaseException]:
    waiting, seen = [exc], set[int]()
    while waiting and len(seen) < MAX_CHAIN:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting.extend(_behind(link))


def _behind(exc: BaseException) -> Iterator[BaseException]:
    hidden_by_raise_from_none = exc.__suppress_context__
    candidates = [
        exc.__cause__,
        None if hidden_by_raise_from_none else exc.__context__,
        *(exc.exceptions if isinstance(exc, BaseExceptionGroup) else ()),
        _peek(exc, "orig"),
        _peek(exc, "reason"),
        _last_attempt(exc),
        *(item for item in exc.args[:4]),
    ]
    for candidate in candidates:
        if isinstance(candidate, BaseException):
            yield candidate


def _last_attempt(exc: BaseException) -> object:
    """Return what tenacity's RetryError wraps: a finished future."""
    future = _peek(exc, "last_attempt")
    done, exception = _peek(future, "done"), _peek(future, "exception")
    if not callable(done) or not callable(exception) or not done():
        return None
    return exception()


def _peek(owner: object, name: str) -> object:
    """Return an attribute of a foreign object, whose property may raise anything."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - reading evidence must not become a second failure
        return None


def _type_name(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _text_of(chain: Sequence[BaseException]) -> str:
    lines: list[str] = []
    for position, link in enumerate(chain):
        prefix = "caused by: " if position else ""
        lines.append(f"{prefix}{_type_name(type(link))}: {_str(link)}")
        lines.extend(_str(note) for note in getattr(link, "__notes__", ()))
        body = _body_of(link)
        if body and body not in lines[-1]:
            lines.append(body)
    return "\n".join(lines)[:MAX_TEXT_CHARS]


def _str(value: object) -> str:
    try:
        return str(value)[:MAX_TEXT_CHARS]
    except Exception:  # noqa: BLE001 - a __str__ that fails says nothing
        return ""


def _body_of(exc: BaseException) -> str:
    """Return the response's body, where a provider says what is really wrong."""
    for body in (
        _peek(exc, "body"),
        _peek(_peek(exc, "response"), "text"),
        _peek(exc, "response_body"),
    ):
        if isinstance(body, bytes):
            return body[:MAX_TEXT_CHARS].decode("utf-8", "replace")
        if isinstance(body, str | dict | list) and body:
            return _str(body)
    return ""


def _status_of(exc: BaseException) -> int | None:
    response = _peek(exc, "response")
    candidates = [
        _peek(exc, "status_code"),
        _peek(response, "status_code"),
        _peek(response, "status"),
        _peek(exc, "status"),
        _peek(exc, "http_status"),
        _peek(exc, "code"),
        _aws_metadata(response).get("HTTPStatusCode"),
    ]
    return next((item for item in candidates if _is_status(item)), None)  # type: ignore[return-value] # _is_status checked it


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599


def _headers_of(exc: BaseException) -> dict[str, str]:
    response = _peek(exc, "response")
    for headers in (
        _peek(response, "headers"),
        _peek(exc, "headers"),
        _aws_metadata(response).get("HTTPHeaders"),
    ):
        items = _peek(headers, "items")
        if headers and callable(items):
            return {_str(name): _str(value) for name, value in items()}
    return {}


def _aws_metadata(response: object) -> Mapping[str, object]:
    """Read botocore's `ClientError.response`, which is a plain dict."""
    found = response.get("ResponseMetadata") if isinstance(response, dict) else None
    return found if isinstance(found, dict) else {}


# -- from one line of --jsonl -----------------------------------------------------------------


def from_jsonl(mapping: Mapping[str, object]) -> Evidence:
    """Read `{channel, command, exit_code, signal, exception, mro, status, headers, text}`.

    All but `text` may be missing or null, keys unknown here are ignored. A wrong type is a
    ValueError that names the key. Without `channel` it is told from the other keys.
    """
    return Evidence(
        channel=_channel(mapping),
        text=_text(mapping, "text") or "",
        command=_command(mapping),
        exit_code=_whole(mapping, "exit_code"),
        signal=signal_name(mapping.get("signal")),
        exception=_text(mapping, "exception"),
        mro=_texts(mapping, "mro"),
        causes=_texts(mapping, "causes"),
        status=_whole(mapping, "status"),
        headers=_headers(mapping),
    )


def _channel(mapping: Mapping[str, object]) -> Channel:
    value = mapping.get("channel")
    if value is None:
        return _likely_channel(mapping)
    for channel in get_args(Channel):
        if value == channel:
            return channel  # type: ignore[no-any-return] # get_args forgets the literal
    raise ValueError(f"`channel` is {value!r}; it must be one of {', '.join(_CHANNELS)}")


def _likely_channel(mapping: Mapping[str, object]) -> Channel:
    if mapping.get("exit_code") is not None or mapping.get("signal") is not None:
        return "subprocess"
    if mapping.get("exception") is not None:
        return "python"
    return "http" if mapping.get("status") is not None else "subprocess"


def signal_name(value: object) -> str | None:
    """`9`, `"9"`, `"KILL"` and `"SIGKILL"` are the same signal."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and not value.strip().isdigit():
        return f"SIG{value.strip().upper().removeprefix('SIG')}"
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(  # noqa: TRY004 - the caller knows one error for a bad line
            f"`signal` is {value!r}; it must be a number or a name such as SIGKILL"
        )
    try:
        return signals.Signals(int(value)).name
    except ValueError:
        raise ValueError(f"`signal` is {value!r}; there is no signal of that number") from None


def _text(mapping: Mapping[str, object], key: str) -> str | None:
    value = mapping.get(key)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"`{key}` is {_short(value)}; it must be a text or null")


def _command(mapping: Mapping[str, object]) -> str | None:
    value = mapping.get("command")
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return _text(mapping, "command")


def _texts(mapping: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = mapping.get(key)
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError(f"`{key}` is {_short(value)}; it must be a list of texts or null")


def _whole(mapping: Mapping[str, object], key: str) -> int | None:
    """Read a whole number; other programs write it as `1.0` or `"503"`, too."""
    value = mapping.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= MAX_DIGITS and value.lstrip("-").isdecimal():
        return int(value)
    raise ValueError(f"`{key}` is {_short(value)}; it must be a whole number or null")


def _headers(mapping: Mapping[str, object]) -> dict[str, str]:
    value = mapping.get("headers")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - the caller knows one error for a bad line
            f"`headers` is {_short(value)}; it must be an object of texts or null"
        )
    return {
        str(name): item if isinstance(item, str) else _joined(item) for name, item in value.items()
    }


def _joined(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_str(item) for item in value)
    return "" if value is None else _str(value)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

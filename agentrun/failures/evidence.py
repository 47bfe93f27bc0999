"""Evidence from one line of `classify --jsonl`: the strict reading of foreign JSON.

Refuses to judge. Evidence from an exception is in steps/raised.py.
"""

import signal as signals
from collections.abc import Mapping
from typing import get_args

from agentrun.core.failure import Channel, Evidence

MAX_TEXT_CHARS = 128 * 1024
MAX_DIGITS = 12
"""Length limit of a number that is written as a text."""

_CHANNELS: tuple[str, ...] = get_args(Channel)


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
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."

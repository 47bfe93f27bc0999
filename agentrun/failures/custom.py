"""A project's own rules: from a mapping, as YAML gives it, to a `Rule`.

Owns what such a mapping may hold and refuses one that is malformed or can never match, with a
message that says which key and why.

    {id: billing.down, kind: overloaded, match: {text: "ledger is closed", exit_code: 3}}
    {kind: network, category: fatal, match: {status: [502, 503], channel: http}}
"""

import re
import signal as signals
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from agentrun.core.failure import Category, Channel, Kind
from agentrun.failures.rules import Level, Rule

CHANNELS: tuple[Channel, ...] = ("subprocess", "python", "http", "llm")
_KEYS = ("id", "kind", "category", "match", "hint")
_MATCH_KEYS = ("text", "unless", "exit_code", "signal", "status", "exception", "channel", "program")
_MAX_PATTERN_CHARS = 2000
_Item = TypeVar("_Item")


def rule_from_mapping(mapping: Mapping[str, object]) -> Rule:
    """Build a rule, or raise ValueError with the key at fault and what would be right."""
    _only(mapping, _KEYS, "a rule")
    kind = Kind(_one_of(mapping.get("kind"), tuple(Kind), "kind"))
    match = mapping.get("match")
    if not isinstance(match, Mapping) or not match:
        raise ValueError(
            "`match` is missing or empty: a rule without a condition would take every failure"
        )
    _only(match, _MATCH_KEYS, "`match`")
    if set(match) == {"unless"}:
        raise ValueError("`match` has only `unless`: say what the rule is to match, too")
    channels = _each(match, "channel", lambda value: _one_of(value, CHANNELS, "channel"))
    _refuse_contradiction(match, channels)
    return Rule(
        id=_text(mapping.get("id", f"custom.{kind.value}"), "id"),
        kind=kind,
        category=_category(mapping.get("category")),
        pattern=_pattern(match, "text"),
        unless=_pattern(match, "unless"),
        exception=_exception(match),
        exit_codes=_each(
            match, "exit_code", lambda value: _whole(value, "exit_code", -255, 4294967295)
        ),
        statuses=_each(match, "status", lambda value: _whole(value, "status", 100, 599)),
        signals=_each(match, "signal", _signal),
        channels=tuple(channel for channel in CHANNELS if channel in channels),
        programs=_each(match, "program", lambda value: _text(value, "program").lower()),
        hint=_text(mapping["hint"], "hint") if "hint" in mapping else "",
        level=Level.DECISIVE,
    )


def _category(value: object) -> Category | None:
    return None if value is None else Category(_one_of(value, tuple(Category), "category"))


def _only(mapping: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in mapping:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            raise ValueError(
                f"{where} has no key `{key}`"
                + (f"; did you mean `{near[0]}`?" if near else f"; it may have {', '.join(known)}")
            )


def _one_of(value: object, allowed: tuple[str, ...], key: str) -> str:
    if value in allowed:
        return str(value)
    raise ValueError(
        f"`{key}` is {value!r}; it must be one of {', '.join(str(item) for item in allowed)}"
    )


def _text(value: object, key: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError(f"`{key}` is {value!r}; it must be a text that is not empty")


def _pattern(match: Mapping[str, object], key: str) -> str:
    if key not in match:
        return ""
    source = _text(match[key], f"match.{key}")
    if len(source) > _MAX_PATTERN_CHARS:
        raise ValueError(f"`match.{key}` is longer than {_MAX_PATTERN_CHARS} characters")
    return _sound(source, key)


def _sound(source: str, key: str) -> str:
    try:
        compiled = re.compile(source, re.IGNORECASE | re.MULTILINE)
    except re.error as error:
        raise ValueError(f"`match.{key}` is not a regular expression: {error}") from error
    if re.search(r"[+*}]\)[+*{]", source):
        raise ValueError(f"`match.{key}` repeats a repetition, as in (a+)+: it could take forever")
    if key == "text" and compiled.fullmatch(""):
        raise ValueError("`match.text` matches the empty text, so it would take every failure")
    return source


def _exception(match: Mapping[str, object]) -> str:
    if "exception" not in match:
        return ""
    return "|".join(
        _each(
            match, "exception", lambda value: _sound(_text(value, "match.exception"), "exception")
        )
    )


def _signal(value: object) -> str:
    name = f"SIG{_text(value, 'match.signal').upper().removeprefix('SIG')}"
    if name in signals.Signals.__members__:
        return name
    raise ValueError(f"`match.signal` is {value!r}; there is no such signal")


def _whole(value: object, key: str, low: int, high: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise ValueError(f"`match.{key}` is {value!r}; it must be a whole number from {low} to {high}")


def _each(
    match: Mapping[str, object], key: str, read: Callable[[object], _Item]
) -> tuple[_Item, ...]:
    """One value or a list of them."""
    if key not in match:
        return ()
    value = match[key]
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError(f"`match.{key}` is an empty list: the rule could never match")
    return tuple(read(item) for item in items)


def _refuse_contradiction(match: Mapping[str, object], channels: tuple[str, ...]) -> None:
    """Conditions that no failure can meet together."""
    ended = "exit_code" in match or "signal" in match
    if channels and ended and "subprocess" not in channels:
        raise ValueError(
            "`match` asks for an exit code or signal on a channel that has none: it can never match"
        )

"""How long the other side asked to wait: headers, bodies and sentences, in seconds.

Owns the formats of a stated wait. Pure: a moment ("resets 3pm") needs the time it is read at,
`now`, as seconds since 1970; without it only durations and a response's own `Date` are understood.

    Retry-After: 30 | Retry-After: Wed, 21 Oct 2026 07:28:00 GMT | retry-after-ms: 1500
    try again in 1m2.7s | retry after 26 seconds | "retryDelay": "38s" | "resets_in_seconds": 3600
    limit reached|1764000000 | resets 12:50am (America/Los_Angeles)
    try again at Nov 4th, 2026 8:39 PM

A wait is never negative and never beyond `MAX_WAIT_S`: a number that large was something else.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

MAX_WAIT_S = 35 * 86400.0
"""A monthly limit resets within 31 days."""

_EPOCH_MIN = 1_000_000_000
"""Larger numbers are moments since 1970, smaller ones are durations."""

_RESET_HEADERS = (
    "anthropic-ratelimit-unified-reset",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-reset",
    "x-rate-limit-reset",
    "ratelimit-reset",
)

_UNIT_S = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_UNIT = (
    r"(?:millis(?:econds?)?|ms|s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?"
    r"|d(?:ays?)?|w(?:eeks?)?)\b"
)
_PART = rf"\d{{1,9}}(?:\.\d{{1,9}})?\s?{_UNIT}"
_DURATION = rf"{_PART}(?:(?:,? and |,? )?{_PART}){{0,3}}"
_COMPACT = r"(?:\d{1,5}d)?(?:\d{1,5}h)?(?:\d{1,5}m(?!s))?(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s))?"


@lru_cache(maxsize=32)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def retry_after_s(
    text: str, headers: Mapping[str, str] | None = None, now: float | None = None
) -> float | None:
    """Return the wait that was asked for, in seconds; headers (lower-case names) come first."""
    for wait in _candidates(text, headers or {}, now):
        if 0 <= wait <= MAX_WAIT_S:
            return round(wait, 3)
    return None


def _candidates(text: str, headers: Mapping[str, str], now: float | None) -> Iterator[float]:
    there = _date_of(headers)
    yield from _header_waits(headers, now if there is None else there)
    now = there if now is None else now
    for pattern, read in _TEXT_FORMS:
        # of a log that tells of several waits, the last is the one that counts
        for found in reversed(list(_compiled(pattern).finditer(text))):
            wait = read(found, now)
            if wait is not None:
                yield wait


def _date_of(headers: Mapping[str, str]) -> float | None:
    """Return the server's clock when it answered: pure, and right where ours is wrong."""
    return _http_date(headers.get("date", ""))


# -- headers ----------------------------------------------------------------------------------


def _header_waits(headers: Mapping[str, str], now: float | None) -> Iterator[float]:
    for name in ("retry-after-ms", "x-ms-retry-after-ms", "x-retry-after-ms"):
        millis = _number(headers.get(name, ""))
        if millis is not None:
            yield millis / 1000
    for name in (
        "retry-after",
        "x-retry-after",
        "x-ratelimit-retry-after",
        "x-amz-retry-after",
        "x-ratelimit-reset-after",
    ):
        yield from _some(parse_wait(headers.get(name, ""), now))
    exhausted = [_reset for _reset in _RESET_HEADERS if _is_used_up(_reset, headers)]
    waits = [wait for name in exhausted for wait in _some(parse_wait(headers[name], now))]
    if waits:
        yield max(waits)


def _is_used_up(name: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a reset's own counter stands at nought; one without a counter counts."""
    if name not in headers:
        return False
    remaining = headers.get(name.replace("reset", "remaining"))
    return remaining is None or _number(remaining) == 0


def parse_wait(value: str, now: float | None = None) -> float | None:
    """Read one stated wait: seconds, a duration, an HTTP date, an ISO moment or an epoch."""
    value = value.strip()
    if not value:
        return None
    number = _number(value)
    if number is not None:
        return _until(_epoch(number), now) if number >= _EPOCH_MIN else number
    duration = parse_duration(value)
    if duration is not None:
        return duration
    moment = _http_date(value)
    return _until(moment if moment is not None else _iso(value), now)


def parse_duration(value: str) -> float | None:
    """`1m2.7s`, `120ms`, `5 minutes and 3 seconds`; None when it is no duration."""
    value = value.strip()
    whole = _compiled(_DURATION).fullmatch(value) or _compiled(_COMPACT).fullmatch(value)
    if not whole or not value:
        return None
    parts = _compiled(r"(\d+(?:\.\d+)?)\s?([a-z]+)").findall(value)
    return sum(float(number) * _unit_s(unit) for number, unit in parts)


def _unit_s(unit: str) -> float:
    lowered = unit.lower()
    return _UNIT_S["ms" if lowered.startswith(("ms", "milli")) else lowered[0]]


def _number(value: str) -> float | None:
    return float(value) if _compiled(r"\d{1,15}(?:\.\d{1,9})?").fullmatch(value.strip()) else None


def _epoch(number: float) -> float:
    return number / 1000 if number > _EPOCH_MIN * 100 else number


def _until(moment: float | None, now: float | None) -> float | None:
    if moment is None or now is None:
        return None
    return max(0.0, moment - now)


def _some(wait: float | None) -> tuple[float, ...]:
    return () if wait is None else (wait,)


def _http_date(value: str) -> float | None:
    if not value[:3].isalpha():
        return None
    from email.utils import parsedate_to_datetime  # 11 ms, and most failures have no date

    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso(value: str) -> float | None:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# -- sentences --------------------------------------------------------------------------------


def _read_duration(found: re.Match[str], _now: float | None) -> float | None:
    return parse_duration(found[1])


def _read_seconds(found: re.Match[str], _now: float | None) -> float | None:
    return float(found[1])


def _read_millis(found: re.Match[str], _now: float | None) -> float | None:
    return float(found[1]) / 1000


def _read_moment(found: re.Match[str], now: float | None) -> float | None:
    return parse_wait(found[1], now)


def _read_clock(found: re.Match[str], now: float | None) -> float | None:
    """Read `resets 12:50am (America/Los_Angeles)`: the next time that clock shows it."""
    if now is None or not (found["half"] or found["minute"]):
        return None
    from datetime import datetime, timedelta

    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 23 or minute > 59:
        return None
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    here = datetime.fromtimestamp(now, _zone(found["zone"]))
    target = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    target = target if target > here else target + timedelta(days=1)
    return target.timestamp() - now


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _read_date(found: re.Match[str], now: float | None) -> float | None:
    """Read `Nov 4th, 2026 8:39 PM`, `Oct 9 at 3pm (UTC)`: without a year, the next such day."""
    if now is None:
        return None
    from datetime import datetime

    here = datetime.fromtimestamp(now, _zone(found["zone"]))
    hour = int(found["hour"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    year = int(found["year"] or here.year)
    month = _MONTHS.index(found["month"][:3].lower()) + 1
    try:
        target = here.replace(
            year=year, month=month, day=int(found["day"]), hour=hour,
            minute=int(found["minute"] or 0), second=0, microsecond=0,
        )  # fmt: skip
        target = target if found["year"] or target > here else target.replace(year=year + 1)
    except ValueError:
        return None
    return max(0.0, target.timestamp() - now)


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _read_weekday(found: re.Match[str], now: float | None) -> float | None:
    """Read `resets Mon 12:00am (UTC)`: the next such day."""
    if now is None:
        return None
    from datetime import datetime, timedelta

    here = datetime.fromtimestamp(now, _zone(found["zone"]))
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 23 or minute > 59:
        return None
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    days = (_WEEKDAYS.index(found["weekday"].lower()) - here.weekday()) % 7
    target = here.replace(hour=hour, minute=minute, second=0, microsecond=0) + timedelta(days=days)
    target = target if target > here else target + timedelta(days=7)
    return target.timestamp() - now


def _zone(name: str | None) -> "tzinfo":
    """Return a named zone, else UTC: the machine's own zone would make the answer depend on it."""
    from datetime import UTC

    if not name or name.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


_TIME = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::\d{2})?\s?(?:(?P<half>[ap])\.?m\.?)?"
_ZONE = r"(?:\s?\(?(?P<zone>[A-Za-z]{2,20}/[A-Za-z_]{2,30}(?:/[A-Za-z_]{2,30})?|UTC|GMT)\)?)?"
_DAY = (
    r"(?P<month>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})\.? (?P<day>\d{1,2})"
    r"(?:st|nd|rd|th)?(?:,? (?P<year>20\d\d))?"
)
_WEEKDAY = r"(?P<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_AGAIN = (
    r"(?:try(?:ing)?(?: your request)? again|retry(?:ing)?|available(?: again)?|resets?|wait"
    r"|renews?|refresh(?:es)?|regain access)"
)

_ISO_MOMENT = (
    r"20\d\d-\d\d-\d\d(?:T| at |\s)\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
    r"(?:\s?Z|\s?UTC|[+-]\d\d:?\d\d)?"
)


def _read_iso(found: re.Match[str], now: float | None) -> float | None:
    value = found[1].replace(" at ", "T").replace(" UTC", "+00:00").replace("UTC", "+00:00")
    return _until(_iso(value.replace(" Z", "Z")), now)


_IS = r"[\"']?\s?[:=]\s?[\"']?"
_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"

_TEXT_FORMS: tuple[tuple[str, Callable[[re.Match[str], float | None], float | None]], ...] = (
    (r"limit reached\s?\|\s?(\d{10,13})\b", _read_moment),
    (rf"retry_?delay{_IS}{_NUMBER}s", _read_seconds),
    (rf"retry_?delay[\"']?\s?[:=]?\s?\{{\s?[\"']?seconds{_IS}{_NUMBER}", _read_seconds),
    (
        rf"(?:resets?_in|retry_after|resets?_after|retry_in)_seconds{_IS}{_NUMBER}",
        _read_seconds,
    ),
    (rf"retry[-_]?after[-_]?ms{_IS}{_NUMBER}", _read_millis),
    (rf"retry[-_]?after{_IS}{_NUMBER}(?:s\b|\b(?!-))", _read_seconds),
    (rf"resets?_after{_IS}{_NUMBER}\b", _read_seconds),
    (rf"(?:resets?_?at|reset_time|x-ratelimit-reset){_IS}(\d{{10,13}})\b", _read_moment),
    (rf"(?:resets?_?at|reset_time){_IS}({_ISO_MOMENT})", _read_iso),
    (
        rf"{_AGAIN}(?: (?:after|in|for|at least|another|about|within))*:? ({_DURATION})",
        _read_duration,
    ),
    (rf"{_AGAIN} (?:after|in) ({_COMPACT})(?=[\s.,;)\"']|$)", _read_duration),
    (r"retry after (\d{1,6})(?=[.,;)\s\"']|$)(?! ?attempts?| ?tries)", _read_seconds),
    (rf"{_AGAIN}[^\n]{{0,30}}?(?:at|on|after|:|time:?) ({_ISO_MOMENT})", _read_iso),
    (
        rf"{_AGAIN}(?: (?:at|on|after))? {_DAY}(?:,? at|,)? ?(?:{_TIME})?{_ZONE}",
        _read_date,
    ),
    (
        rf"{_AGAIN}(?: (?:at|on))? {_WEEKDAY},?(?: at)? {_TIME}{_ZONE}",
        _read_weekday,
    ),
    (rf"{_AGAIN}(?: (?:at|after))? {_TIME}{_ZONE}(?=[\s.,;)\"']|$)", _read_clock),
)

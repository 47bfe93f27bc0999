"""Durations, counts and rates as people write them: `1h30m`, `2M`, `50/min`.

Owns the parsing of these small texts into numbers. Raises ValueError with a message that shows
what would be right. Knows nothing of YAML or models; light to import.
"""

import re

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", re.ASCII)
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgGbB]?)", re.ASCII)
_COUNT_UNIT = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000, "b": 1_000_000_000}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(\d*)\s*([a-z]+)", re.ASCII)
_PER_S = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0,
    "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0,
}  # fmt: skip

MAX_DURATION_S = 10 * 365 * 86400.0
"""Ten years: a longer one is a mistake, and would overflow the clock of some systems."""


def duration_s(value: object) -> float:
    """Return seconds for `500ms`, `30s`, `10m`, `2h`, `1d`, `1h30m`, or a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        message = f"{_shown(value)} is not a duration: write 30s, 10m or a number of seconds"
        raise ValueError(message)  # noqa: TRY004, Pydantic takes no TypeError
    seconds = _parse_duration(value) if isinstance(value, str) else float(value)
    if not 0 <= seconds <= MAX_DURATION_S:
        raise ValueError(f"{_shown(value)} is out of range: a duration is from 0 to ten years")
    return seconds


def _parse_duration(text: str) -> float:
    stripped = text.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", stripped, re.ASCII):
        return float(stripped)
    if not _DURATION.fullmatch(stripped):
        raise ValueError(f"{_shown(text)} is not a duration: {_duration_hint(stripped)}")
    return sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(stripped))


def _duration_hint(text: str) -> str:
    if re.fullmatch(r"\d+(:\d\d)+", text):
        return "write 1m30s for one minute and thirty seconds"
    if match := re.fullmatch(r"(\d+)\s*(sec|min|hour|hr|day|second|minute)s?", text, re.IGNORECASE):
        return f"write {match[1]}{match[2][0].lower()}"
    if "${{" in text:
        return "an expression can't stand here, since it is needed before the step runs"
    return "write 500ms, 30s, 10m, 2h, 1d, 1h30m or a number of seconds"


def count(value: object) -> int:
    """Return the number for `2M`, `500k` or a plain integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = float(value)
    elif isinstance(value, str) and (match := _COUNT.fullmatch(value.strip())):
        number = float(match[1]) * _COUNT_UNIT[match[2].lower()]
    else:
        raise ValueError(f"{_shown(value)} is not a count: write 200000, 500k or 2M")
    if number != int(number) or number < 0:
        raise ValueError(f"{_shown(value)} is not a whole number")
    return int(number)


def rate(value: object) -> tuple[float, float]:
    """Return (calls, seconds) for `50/min`, `10/s`, `100/h`."""
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = _PER_S.get(match[3].removesuffix("s") or "s") if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        raise ValueError(f"{_shown(value)} is not a rate: write 10/s, 50/min or 100/h")
    return float(match[1]), unit * (float(match[2]) if match[2] else 1.0)


def _shown(value: object) -> str:
    return f"`{value}`" if isinstance(value, str | int | float) else f"a {type(value).__name__}"

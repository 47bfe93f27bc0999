"""How numbers, times and foreign text read to a person.

Owns the spelling of durations, sizes, prices and moments, and the one place where text that others
wrote (an agent's output, an error message) is made harmless for a terminal. Pure.
"""

import re
import time
from collections.abc import Iterable

_CONTROL_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC: titles, clipboard, links
    r"|\x1b[ -/]*[0-~]"
)
_DANGEROUS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
MAX_LINE_CHARS = 300


def safe(text: str) -> str:
    """Return foreign text without terminal control; line ends and tabs stay.

    Escape sequences vanish (a program's colours are no loss), any other control or
    direction-changing character is spelled out.
    """
    text = text.replace("\r\n", "\n")
    return _DANGEROUS.sub(_spell_out, _CONTROL_SEQUENCE.sub("", text))


def _spell_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: str, limit: int = MAX_LINE_CHARS) -> str:
    """Return foreign text as one harmless line of at most `limit` characters."""
    line = " ".join(safe(text[: limit * 8]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def duration(seconds: float) -> str:
    """Return `4 ms`, `0.4 s`, `12 s`, `2m 05s`, `1h 02m`, `3d 04h`."""
    if 0.0 < seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {second:02}s"
    hours, minute = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minute:02}m"
    days, hour = divmod(hours, 24)
    return f"{days}d {hour:02}h"


def clock(moment: float) -> str:
    """Return the local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def date(moment: float) -> str:
    """Return the local date and time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def iso(moment: float) -> str:
    """Return the moment in UTC as ISO 8601, to the millisecond."""
    whole = int(moment // 1)
    millis = min(999, int((moment - whole) * 1000))
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{millis:03}Z"


def until(moment: float, now: float) -> str:
    """Return `until 14:05:12 (in 5m 00s)`, with the date when it is another day."""
    left = moment - now
    shown = clock(moment) if left < 20 * 3600 else date(moment)
    return f"until {shown} (in {duration(left)})" if left > 0 else f"until {shown}, which is past"


def usd(price: float, *, incomplete: bool = False) -> str:
    """Return a price; `incomplete` says that some usage had no known price."""
    shown = f"${price:.2f}" if price >= 1 or price == 0 else f"${price:.4f}"
    if not incomplete:
        return shown
    return f"at least {shown}" if price else "price unknown"


def short_number(number: int) -> str:
    """Return `999`, `1.2k`, `3.4M`."""
    if number < 1000:
        return str(number)
    if number < 999_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1_000_000:.1f}M"


def size(size_bytes: int) -> str:
    """Return `512 B`, `1.2 kB`, `3.4 MB`."""
    number, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{size_bytes} B" if unit == "B" else f"{number:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """Return `1 step`, `1,234 steps`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listing(words: Iterable[str], limit: int = 8) -> str:
    """Return `a, b, c and 4 more`."""
    every = list(words)
    if len(every) <= limit:
        return ", ".join(every)
    return f"{', '.join(every[:limit])} and {len(every) - limit:,} more"


def typed(words: Iterable[str]) -> str:
    """Return a command as a person would type it, quoted where the shell needs it."""
    return " ".join(map(_quoted, words))


_NEEDS_QUOTES = re.compile(r"[^\w@%+=:,./-]", re.ASCII)


def _quoted(word: str) -> str:
    """Do what `shlex.quote` does, without the 5 ms of its import."""
    if word and not _NEEDS_QUOTES.search(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"

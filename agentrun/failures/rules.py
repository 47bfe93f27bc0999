r"""One rule of the classifier, as frozen data, and whether it matches.

Owns what a rule may look at and how the conditions combine: all conditions that are given must
hold; `words` and `pattern` together count as one condition, met by either. Refuses to know the
rules themselves (one file per domain) and the order of the questions (classify.py).

    Rule("git.index_lock", Kind.LOCK, pattern=r"unable to create '[^']*\.lock': file exists")

`words` are lower-case substrings, parted by ` | `, and cheap; a `pattern` is a regular expression,
compiled when it is first asked. Both ignore case; `exception`, a pattern for the name of a type,
does not. No pattern may repeat what already repeats, as in `(a+)+`: the time must grow with the
text, not explode with it.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache

from msgspec import Struct

from agentrun.core.failure import Category, Channel, Kind
from agentrun.failures.facts import Facts

SNIPPET_CHARS = 200
"""Length limit of a verdict's evidence."""


class Level(IntEnum):
    """How much a rule's evidence weighs: a lower level is asked first, whatever the kind."""

    DECISIVE = 0
    """A signal, an error code, a phrase that leaves nothing to ask."""
    SPECIFIC = 1
    """A tool's, an SDK's or a system's own words for one cause."""
    GENERAL = 2
    """Words that many programs share."""
    DEFAULT = 3
    """A bare status, exit code or exception type: what remains when no text speaks."""
    HUNCH = 4
    """A noun and what befell it: words that hint, asked when nothing else has spoken."""


class Rule(Struct, frozen=True):
    """Evidence that, when all of it is present, means `kind`."""

    id: str
    kind: Kind
    words: str = ""
    pattern: str = ""
    level: Level = Level.SPECIFIC
    unless: str = ""
    channels: tuple[Channel, ...] = ()
    programs: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()
    signals: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    exception: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    category: Category | None = None
    hint: str = ""


@lru_cache(maxsize=2048)
def compiled(pattern: str, flags: int = re.IGNORECASE | re.MULTILINE) -> re.Pattern[str]:
    """Compile on first use: importing a thousand patterns must cost nothing."""
    return re.compile(pattern, flags)


def match(rule: Rule, facts: Facts) -> str | None:
    """Return the piece of evidence the rule matched on, or None when a condition does not hold."""
    evidence = facts.evidence
    if rule.channels and evidence.channel not in rule.channels:
        return None
    if rule.programs and facts.program not in rule.programs:
        return None
    if rule.statuses and facts.status not in rule.statuses:
        return None
    if rule.exit_codes and facts.exit_code not in rule.exit_codes:
        return None
    if rule.signals and facts.signal not in rule.signals:
        return None
    name = _named(rule, facts)
    if name is None or not _headers_hold(rule.headers, facts.headers):
        return None
    snippet = _said(rule, facts)
    if snippet is None or (rule.unless and compiled(rule.unless).search(facts.text)):
        return None
    return snippet or name or _structured(rule, facts)


def _named(rule: Rule, facts: Facts) -> str | None:
    if not rule.exception:
        return ""
    full = compiled(rule.exception, 0).fullmatch
    return next((name for name in facts.names if full(name)), None)


def _headers_hold(wanted: tuple[tuple[str, str], ...], headers: Mapping[str, str]) -> bool:
    return all(
        name in headers and compiled(pattern).search(headers[name]) for name, pattern in wanted
    )


def _said(rule: Rule, facts: Facts) -> str | None:
    if not rule.words and not rule.pattern:
        return ""
    for word in _parted(rule.words):
        at = _find_word(facts.lowered, word)
        if at >= 0:
            return _snippet(facts.flat, at, at + len(word))
    found = compiled(rule.pattern).search(facts.text) if rule.pattern else None
    if found is None:
        return None
    told = "told" if found.groupdict().get("told") else 0  # the part that says what happened
    return _snippet(facts.text, *found.span(told))


def _find_word(lowered: str, word: str) -> int:
    """Find where the word begins a word: `enotfound` must not be found in FileNotFoundError."""
    at = lowered.find(word)
    while at > 0 and word[0].isascii() and _goes_on(lowered[at - 1]):
        at = lowered.find(word, at + 1)
    return at


def _goes_on(before: str) -> bool:
    return before.isascii() and before.isalnum()


@lru_cache(maxsize=2048)
def _parted(words: str) -> tuple[str, ...]:
    return tuple(words.split(" | ")) if words else ()


def _structured(rule: Rule, facts: Facts) -> str:
    if rule.signals:
        return f"signal {facts.signal}"
    if rule.exit_codes:
        return f"exit code {facts.exit_code}"
    if rule.statuses:
        return f"status {facts.status}"
    if rule.headers:
        name = rule.headers[0][0]
        return f"{name}: {facts.headers[name]}"[:SNIPPET_CHARS]
    return f"channel {facts.evidence.channel}"


def _snippet(text: str, start: int, end: int) -> str:
    """Cut out the line around the match, so that a person recognises it."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    if line_end - line_start > SNIPPET_CHARS:
        line_start = max(line_start, start - 40)
        line_end = line_start + SNIPPET_CHARS
    return " ".join(text[line_start:line_end].split()) or text[start:end].strip()[:SNIPPET_CHARS]

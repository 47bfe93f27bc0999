"""The memory of what cured what, shared by all tasks of a checkpoint folder.

    checkpoints/.agentrun/fixes.json
      {"patterns": {<fingerprint>: {"step", "kind", "text", "seen", "last", "fixes":
          {<fix id>: {"fix": {...}, "tries", "worked", "last"}}}}}

A burst counts once: the same pattern of the same task within BURST_S is seen once, and so are tries
of the same fix in it. What a crash had told twice counts once too, however late the resume: each
occasion (an attempt that failed, a fix that was applied) has a name. Knowledge fades: what is older
than FADE_S weighs half, then less; patterns not seen for FORGET_S go. Bounded: MAX_PATTERNS
patterns, MAX_FIXES fixes each, MAX_BYTES in all.

It is knowledge, not truth: a file that can't be read or written is as if nothing were known, and
stops no task.

Concurrent writers lose nothing, since each change is made under the file's lock (store/shared.py).
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct, field

from agentrun.core.model import Json
from agentrun.errors import StoreError
from agentrun.recovery.debugger.fixes import Fix, kind_of

NAME = "fixes"
BURST_S = 60.0
FADE_S = 30 * 86400.0
FORGET_S = 180 * 86400.0
MAX_PATTERNS = 2000
MAX_FIXES = 20
MAX_TEXT = 300
MAX_BYTES = 4 << 20


class Shared(Protocol):
    """The shared files of a checkpoint folder (store/shared.py)."""

    def read(self, name: str) -> dict[str, Json]: ...
    def update(self, name: str) -> AbstractContextManager[dict[str, Json]]: ...


class Seen(Struct, frozen=True):
    """A failure that was seen: its pattern, and what people should read about it."""

    fingerprint: str
    step: str = ""
    kind: str = ""
    text: str = ""


class Occasion(Struct, frozen=True):
    """What is counted: `name` is the same when it is told again after a crash."""

    task: str
    name: str
    now: float


class Known(Struct, frozen=True):
    """What is known of one fix for one pattern. `chance` is a faded estimate that it works."""

    fix: Fix
    tries: float
    worked: float

    @property
    def chance(self) -> float:
        """Return the mean of a Beta(1, 1) prior after the faded tries."""
        return (self.worked + 1) / (self.tries + 2)

    @property
    def record(self) -> str:
        """Return the record in words."""
        return f"worked {self.worked:.0f} of {self.tries:.0f} times"


class Pattern(Struct, frozen=True):
    """One failure pattern and what is known to cure it, best first."""

    fingerprint: str
    step: str
    kind: str
    text: str
    seen: int
    last: float
    fixes: tuple[Known, ...] = ()


Count = Annotated[int, Meta(ge=0)]


class _Tried(Struct):
    fix: Fix
    tries: Count = 0
    worked: Count = 0
    last: float = 0.0
    last_task: str = ""
    last_name: str = ""


class _Entry(Struct):
    step: str = ""
    kind: str = ""
    text: str = ""
    seen: int = 0
    last: float = 0.0
    last_task: str = ""
    last_name: str = ""
    fixes: dict[str, _Tried] = field(default_factory=dict)


class _File(Struct):
    patterns: dict[str, _Entry]


class FixMemory:
    """Reads and writes the memory. One that does not learn counts nothing: for what is made up."""

    def __init__(self, shared: Shared, *, learns: bool = True) -> None:
        self._shared, self._learns = shared, learns

    def patterns(self, now: float) -> list[Pattern]:
        """Return every known pattern, the one seen last first."""
        entries = self._read()
        found = [_pattern(name, entry, now) for name, entry in entries.items()]
        return sorted(found, key=lambda pattern: -pattern.last)

    def recall(self, fingerprint: str, now: float) -> tuple[Known, ...]:
        """Return the fixes known for a pattern, best first; none when it was never seen."""
        entry = self._read().get(fingerprint)
        return () if entry is None else _pattern(fingerprint, entry, now).fixes

    def saw(self, seen: Seen, when: Occasion) -> None:
        """Count an incident."""
        if not self._learns:
            return
        with suppress(StoreError), self._changing() as entries:
            entry = _entry(entries, seen)
            entry.seen += not _counted(entry, when)
            entry.last, entry.last_task, entry.last_name = when.now, when.task, when.name

    def learn(self, seen: Seen, fix: Fix, when: Occasion, *, worked: bool) -> None:
        """Count a verified try of a fix."""
        if not self._learns:
            return
        with suppress(StoreError), self._changing() as entries:
            entry = _entry(entries, seen)
            entry.last = max(entry.last, when.now)
            tried = entry.fixes.setdefault(fix.id, _Tried(fix))
            if tried.tries and _counted(tried, when):
                return
            tried.tries += 1
            tried.worked += worked
            tried.last, tried.last_task, tried.last_name = when.now, when.task, when.name
            if len(entry.fixes) > MAX_FIXES:
                oldest = min(entry.fixes, key=lambda fix_id: entry.fixes[fix_id].last)
                del entry.fixes[oldest]

    def export(self) -> dict[str, Json]:
        """Return the whole memory as JSON."""
        return {"patterns": msgspec.to_builtins(self._read())}

    def import_(self, data: Json, now: float) -> int:
        """Take over patterns that are not known yet; return how many. ValueError: not a memory.

        Fixes that run something new (`full`) are left out: nobody's file brings commands along.
        """
        try:
            incoming = msgspec.convert(data, _File).patterns
        except msgspec.ValidationError as error:
            raise ValueError(f"this is no memory of fixes: {error}") from error
        with self._changing() as entries:
            new = {n: _foreign(entry, now) for n, entry in incoming.items() if n not in entries}
            entries.update(new)
        return len(new)

    def clear(self) -> None:
        """Forget everything."""
        with self._changing() as entries:
            entries.clear()

    def _read(self) -> dict[str, _Entry]:
        try:
            return _entries(self._shared.read(NAME))
        except StoreError:
            return {}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Entry]]:
        """Give the entries, to be changed in place under the file's lock."""
        with self._shared.update(NAME) as data:
            entries = _entries(data)
            yield entries
            newest = max((entry.last for entry in entries.values()), default=0.0)
            data.clear()  # what is no memory is not carried along
            data["patterns"] = msgspec.to_builtins(dict(_bounded(entries, newest)))


def _bounded(entries: Mapping[str, _Entry], now: float) -> Iterator[tuple[str, _Entry]]:
    newest = sorted(entries.items(), key=lambda item: -item[1].last)[:MAX_PATTERNS]
    left = MAX_BYTES
    for name, entry in newest:
        left -= len(msgspec.json.encode(entry)) + len(name)
        if now - entry.last < FORGET_S and left > 0:
            yield name, entry


def _entry(entries: dict[str, _Entry], seen: Seen) -> _Entry:
    entry = entries.setdefault(seen.fingerprint, _Entry())
    if not entry.kind:
        entry.step, entry.kind, entry.text = seen.step, seen.kind, seen.text[:MAX_TEXT]
    return entry


def _counted(known: _Entry | _Tried, when: Occasion) -> bool:
    """Return whether it is counted already: told again, or one of a burst."""
    if known.last_task != when.task:
        return False
    return known.last_name == when.name or 0 <= when.now - known.last < BURST_S


def _foreign(entry: _Entry, now: float) -> _Entry:
    """Return an entry of another memory as far as it is taken over."""
    fixes = {}
    for tried in list(entry.fixes.values())[:MAX_FIXES]:
        kind = kind_of(tried.fix.type)
        if kind is not None and kind.risk != "full":
            tried.last, tried.last_task, tried.last_name = min(tried.last, now), "", ""
            fixes[tried.fix.id] = tried
    seen = min(entry.last, now)
    text = entry.text[:MAX_TEXT]
    return _Entry(entry.step, entry.kind, text, max(0, entry.seen), seen, "", "", fixes)


def _entries(data: Mapping[str, Json]) -> dict[str, _Entry]:
    """Read the entries; those that are not in form are left out: this is knowledge, not truth."""
    found: dict[str, _Entry] = {}
    patterns = data.get("patterns")
    for name, raw in patterns.items() if isinstance(patterns, dict) else ():
        try:
            found[name] = msgspec.convert(raw, _Entry)
        except msgspec.ValidationError:
            continue
    return found


def _pattern(name: str, entry: _Entry, now: float) -> Pattern:
    known = []
    for tried in entry.fixes.values():
        weight = 0.5 ** (max(0.0, now - tried.last) / FADE_S)
        known.append(Known(tried.fix, tried.tries * weight, tried.worked * weight))
    known.sort(key=lambda each: (-each.chance, each.fix.id))
    return Pattern(name, entry.step, entry.kind, entry.text, entry.seen, entry.last, tuple(known))

"""Limits of a component: how many calls at once, how many in a time, and a rate learnt from 429s.

Owns the arithmetic (`Pace`, pure) and the places (`Place`, locked files). Refuses to know breakers
and where a pace is stored (gate.py).

The rate is kept by the generic cell rate algorithm: one number, the moment when the next call is
due if all come evenly. A tenth of the calls of a window may come at once; the gaps are chosen so
that no window of `per_s` ever holds more than `rate` calls.

A `rate_limit` makes everybody wait as long as it asks and sets a rate: a share of the calls that
just worked. A further complaint halves it; time raises it by a constant again, until a minute
without complaint forgets it: additive increase, multiplicative decrease, as in TCP. Growing with
time alone, it needs no news of calls that work, so those cost no file. It does not grow right away:
whoever was refused once should not be refused again because somebody probes for more.
"""

import fcntl
import os
from pathlib import Path

from msgspec import Struct, structs

from agentrun.core.model import Limit
from agentrun.errors import NotWritable

BURST_SHARE = 0.1
"""This share of a window's calls may come at once."""
LATE = 2
FIRST_SHARE = 0.8
"""A first `rate_limit` lowers the rate to this share of the calls that worked lately."""
FEW = 3
"""Fewer calls that worked are no measure: the rate then doubles in DOUBLED_IN_S, as a guess."""
DOUBLED_IN_S = 4.0
DECREASE = 0.5
HELD_S = 10.0
"""How long after a complaint the rate stays as it is."""
INCREASE_PER_S = 0.05
"""After that it grows by this share of what it was lowered to, each second."""
FORGOTTEN_AFTER_S = 60.0
SLOWEST = 1 / 60
"""The slowest rate learnt, in calls per second, from a server that says how long to wait."""
SLOWEST_UNTOLD = 1 / 5
"""The slowest rate learnt from refusals that do not say so."""
PAUSE_S = 1.0
"""How long a component waits after a `rate_limit` that does not say how long."""


class Pace(Struct, frozen=True, omit_defaults=True):
    """How fast a component may be called. `due` is when the next call would be due if all came
    evenly; `learnt` calls a second since `learnt_at` (0 is nothing learnt); `guess` says that
    too few calls worked to measure it.
    """

    due: float = 0.0
    paused_at: float = 0.0
    pause_s: float = 0.0
    learnt: float = 0.0
    learnt_at: float = 0.0
    guess: bool = False


def paused_until(pace: Pace, now: float) -> float:
    """Return until when everybody waits; a clock that was set back waits no longer than before."""
    return min(pace.paused_at, now) + pace.pause_s


def rate_now(pace: Pace, now: float) -> float | None:
    """Return the learnt rate in calls a second as it has grown by now; None when forgotten."""
    age = now - pace.learnt_at
    if not pace.learnt or age > FORGOTTEN_AFTER_S:
        return None
    if pace.guess:
        return float(pace.learnt * 2 ** (max(0.0, age) / DOUBLED_IN_S))
    return pace.learnt * (1 + INCREASE_PER_S * max(0.0, age - HELD_S))


def gap_and_burst(pace: Pace, limit: Limit, now: float) -> tuple[float, int]:
    """Return the seconds between calls and how many may come at once; (0, 1) is no limit. Two at
    once make up for a caller that comes late: without them every delay would be lost for good.
    """
    gap, burst = 0.0, 1
    if limit.rate:
        burst = max(min(LATE, int(limit.rate / 2)), int(limit.rate * BURST_SHARE), 1)
        gap = limit.per_s / max(limit.rate - burst + 1, limit.rate / 2)
    learnt = rate_now(pace, now)
    if learnt is not None and 1 / learnt > gap:
        return 1 / learnt, LATE
    return gap, burst


def free_at(pace: Pace, limit: Limit, now: float) -> float:
    """Return when the next call may go out, as far as the rate is concerned."""
    gap, burst = gap_and_burst(pace, limit, now)
    due = min(pace.due, now + burst * gap)  # a clock that was set back
    return max(now, due - (burst - 1) * gap)


def called(pace: Pace, limit: Limit, now: float) -> Pace:
    """Return the pace after one more call at `now`."""
    gap, burst = gap_and_burst(pace, limit, now)
    return structs.replace(pace, due=max(now, min(pace.due, now + burst * gap)) + gap)


def paused(pace: Pace, now: float, wait_s: float) -> Pace:
    """Return the pace after somebody was told to wait; the longest wait holds."""
    if paused_until(pace, now) >= now + wait_s:
        return pace
    return structs.replace(pace, paused_at=now, pause_s=wait_s)


def slowed(pace: Pace, limit: Limit, now: float, started_at: float, wait_s: float | None) -> Pace:
    """Return the pace after a `rate_limit` that asked for `wait_s`. Calls that had started before
    the rate was lowered say nothing about the lower rate. A declared rate is where it starts from.
    """
    pace = paused(pace, now, PAUSE_S if wait_s is None else wait_s)
    before = rate_now(pace, now)
    if before is None and limit.rate:
        first = limit.rate / limit.per_s * FIRST_SHARE
        return structs.replace(pace, learnt=first, learnt_at=now, guess=False)
    if before is None:
        first = 1 / max(1.0, pace.pause_s)
        return structs.replace(pace, learnt=max(SLOWEST, first), learnt_at=now, guess=True)
    if started_at < pace.learnt_at:
        return pace
    learnt = max(min(before, _slowest(wait_s)), before * DECREASE)
    return structs.replace(pace, learnt=learnt, learnt_at=now, guess=False)


def _slowest(wait_s: float | None) -> float:
    """Return how slow a complaint can make it: one call in the time that it asks for. A server that
    refuses at random, or for what others call, would otherwise bring it to a standstill.
    """
    return SLOWEST_UNTOLD if wait_s is None else max(SLOWEST, 1 / max(1.0, wait_s))


def measured(pace: Pace, worked: int) -> Pace:
    """Return the pace after counting how many calls `worked` from one pause before the first
    complaint to the end of the pause that followed: those under way then have come back.
    """
    if not pace.guess or worked < FEW:
        return pace
    rate = worked / max(1.0, pace.pause_s) * FIRST_SHARE
    return structs.replace(pace, learnt=max(pace.learnt, rate), guess=False)


class Place:
    """A lock on a file, held until `free`, or until the kernel sees this process end."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> "Place | None":
        """Return the place, or None while somebody holds it (another place of this process too)."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise NotWritable(f"can't lock {path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                return None
            raise NotWritable(f"can't lock {path}: {error.strerror}") from error
        return cls(fd)

    def free(self) -> None:
        """Let go. Closing the only descriptor of the lock frees it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def take_slot(folder: Path, name: str, count: int) -> Place | None:
    """Return one of `count` places of that name, or None when all are taken."""
    for number in range(count):
        if place := Place.take(folder / f"{name}.slot{number}"):
            return place
    return None

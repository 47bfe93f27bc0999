"""The circuit breaker of a component, as a fold over the outcomes of calls to it.

Owns what a breaker remembers (`Memory`), how an outcome changes it (`after`) and what that means
at a moment (`phase`). Refuses to know files, locks and who probes (recovery/breakers.py).

    closed ──failures within the window──▶ open ──cooldown over──▶ half-open ──probe fails──▶ open
       ▲                                                               │
       └──────────────────────────── probe works ──────────────────────┘

Times are epoch seconds. A clock that was set back can only shorten what is left: a time that lies
in the future counts as now.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from agentrun.core.failure import Failure, Kind
from agentrun.core.model import BreakerPolicy

Phase = Literal["closed", "open", "half_open"]

SPEAKS_AGAINST = frozenset({Kind.NETWORK, Kind.TIMEOUT, Kind.OVERLOADED})
"""Kinds that say the component is down."""

SAYS_NOTHING = frozenset(
    {Kind.RATE_LIMIT, Kind.AUTH, Kind.QUOTA, Kind.CANCELLED, Kind.LOCK, Kind.DISK_FULL}
    | {Kind.OUT_OF_MEMORY, Kind.MISSING_DEPENDENCY, Kind.CRASH, Kind.UNKNOWN}
)
"""Kinds that say neither: the call may never have reached the component, or it is up and refuses
for a reason that a cooldown does not cure (a queue, a wrong key and an empty account have their
own recovery).
"""

LONG_AFTER_PROBES = 3
"""An open breaker counts as long open after so many failed probes in a row."""


class Memory(Struct, frozen=True, omit_defaults=True):
    """What is remembered of a component's calls. `failures` are the times of those that count
    towards opening; `opened_at` is set while the breaker is not closed.
    """

    failures: tuple[float, ...] = ()
    opened_at: float | None = None
    failed_probes: int = 0


CLOSED = Memory()


def verdict(outcome: Failure | None) -> bool | None:
    """Return what an attempt's outcome says of its component: up, down, or (None) nothing."""
    if outcome is None:
        return True
    if outcome.kind in SPEAKS_AGAINST:
        return False
    return None if outcome.kind in SAYS_NOTHING else True


def phase(memory: Memory, policy: BreakerPolicy, now: float) -> Phase:
    """Return where the breaker stands at `now`."""
    if memory.opened_at is None:
        return "closed"
    return "open" if now < open_until(memory, policy, now) else "half_open"


def open_until(memory: Memory, policy: BreakerPolicy, now: float) -> float:
    """Return when the next probe may go out; only meaningful when it is not closed."""
    opened_at = now if memory.opened_at is None else min(memory.opened_at, now)
    return opened_at + policy.cooldown_s


def after(memory: Memory, policy: BreakerPolicy, time: float, *, ok: bool) -> Memory:
    """Return the memory after one more outcome. What a call says that was under way when the
    breaker opened changes nothing: the first answer after the cooldown decides.
    """
    match phase(memory, policy, time):
        case "open":
            return memory
        case "half_open" if ok:
            return CLOSED
        case "half_open":
            return Memory(opened_at=time, failed_probes=memory.failed_probes + 1)
        case "closed" if ok:
            return CLOSED
        case "closed":
            return _failed(memory, policy, time)


def fold(policy: BreakerPolicy, outcomes: Iterable[tuple[float, bool]]) -> Memory:
    """Return what is remembered after these outcomes, `(time, ok)` each, in order."""
    memory = CLOSED
    for time, ok in outcomes:
        memory = after(memory, policy, time, ok=ok)
    return memory


def long_open(memory: Memory) -> bool:
    """Return whether the component has been down for so long that waiting makes no sense."""
    return memory.failed_probes >= LONG_AFTER_PROBES


def _failed(memory: Memory, policy: BreakerPolicy, time: float) -> Memory:
    recent = (min(t, time) for t in memory.failures)
    failures = (*(t for t in recent if time - t < policy.window_s), time)
    if len(failures) >= policy.failures:
        return Memory(opened_at=time)
    return Memory(failures)

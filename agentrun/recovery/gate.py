"""Who may call a component now: breakers, limits and `rate_limit` pauses in one question.

Owns the order of the questions and what an attempt's outcome means for those who come after it.
All of it is shared by the processes of a checkpoint folder (breakers.py, limits.py). `admit` never
waits: it says until when it makes no sense to ask again.

    match gate.admit("api.example.com", now):
        case Admitted() as place: ...attempt...; place.release(failure_or_none, now)
        case NotYet(until=moment): ...ask again then...

Places and probes are locks that the kernel frees, so a process that dies blocks nobody.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

from agentrun.core import breaker
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import BreakerPolicy, Limit
from agentrun.recovery import limits as pacing
from agentrun.recovery.breakers import Component, Known
from agentrun.recovery.limits import Place, take_slot
from agentrun.store.manager import CheckpointManager

Cause = Literal["limit", "breaker", "rate_limit"]

ASK_AGAIN_S = 0.25
"""When nobody can say when a place or a probe comes free."""
LONGEST_QUEUE_S = 30.0
"""Nobody is told to come back later than this because of a queue: it may get shorter."""
REMEMBERED_CALLS = 1000

NO_LIMIT = Limit()
DEFAULT_BREAKER = BreakerPolicy()
"""For a component without an entry under `breakers`: 5 failures in a row within 60 s, for 30 s."""


class NotYet(Struct, frozen=True):
    """Ask again at `until`. `park` says not to wait even if that is near: it has been down long."""

    until: float
    reason: str
    cause: Cause
    park: bool = False


class Admitted:
    """The permission for one attempt. `release` it with the attempt's outcome, once."""

    __slots__ = ("_door", "_places", "_started_at")

    def __init__(self, door: "_Door", places: tuple[Place, ...], started_at: float) -> None:
        self._door, self._places, self._started_at = door, places, started_at

    def release(self, outcome: Failure | None, now: float) -> None:
        """Free the place and tell those who come after what became of it. An attempt that was cut
        off says nothing of its component: give a failure of kind `cancelled`.
        """
        try:
            self._door.learn(outcome, self._started_at, now)
        finally:
            for place in self._places:
                place.free()


class Gate:
    """The gate before all components of one checkpoint folder. `folder` is its `.agentrun`."""

    def __init__(
        self, folder: Path, limits: Mapping[str, Limit], breakers: Mapping[str, BreakerPolicy]
    ) -> None:
        self._folder = folder
        self._shared = CheckpointManager(folder.parent).shared
        self._limits, self._breakers = limits, breakers
        self._doors: dict[str, _Door] = {}

    def admit(self, component: str, now: float) -> Admitted | NotYet:
        """Ask for one attempt that calls the component. A host that the workflow names without the
        port counts as one, whatever its ports.
        """
        named = self._limits.keys() | self._breakers.keys()
        host = component.rpartition(":")[0]
        if component not in named and host in named:
            component = host
        door = self._doors.get(component)
        if door is None:
            door = self._doors[component] = _Door(
                self._folder,
                Component(self._folder, self._shared, component),
                self._limits.get(component, NO_LIMIT),
                self._breakers.get(component, DEFAULT_BREAKER),
            )
        return door.admit(now)


class _Door:
    """The gate's part for one component."""

    def __init__(
        self, folder: Path, component: Component, limit: Limit, policy: BreakerPolicy
    ) -> None:
        self._folder, self._component = folder, component
        self._limit, self._policy = limit, policy
        self._promised = 0.0
        self._worked: deque[float] = deque(maxlen=REMEMBERED_CALLS)

    # --- asking ---------------------------------------------------------------------------------

    def admit(self, now: float) -> Admitted | NotYet:
        known = self._component.look()
        if refused := self._closed_for_all(known, now):
            return refused
        places: list[Place] = []
        refused = self._take_probe(known, places, now) or self._take_slot(places, now)
        refused = refused or self._take_turn(known, now)
        if refused is None:
            return Admitted(self, tuple(places), now)
        for place in places:
            place.free()
        return refused

    def _closed_for_all(self, known: Known, now: float) -> NotYet | None:
        until = pacing.paused_until(known.pace, now)
        if until > now:
            return NotYet(until, f"asked to wait {until - now:.0f} s", "rate_limit")
        if breaker.phase(known.memory, self._policy, now) != "open":
            return None
        until = breaker.open_until(known.memory, self._policy, now)
        reason = f"breaker open for another {until - now:.0f} s"
        return NotYet(until, reason, "breaker", park=breaker.long_open(known.memory))

    def _take_probe(self, known: Known, places: list[Place], now: float) -> NotYet | None:
        if breaker.phase(known.memory, self._policy, now) == "closed":
            return None
        probe = Place.take(self._folder / f"{self._component.name}.probe")
        if probe is None:
            return NotYet(now + ASK_AGAIN_S, "breaker half open, one call probes", "breaker")
        places.append(probe)
        # the probe before this one may have answered between the look and the lock
        return self._closed_for_all(self._component.look(), now)

    def _take_slot(self, places: list[Place], now: float) -> NotYet | None:
        most = self._limit.concurrency
        if most is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        slot = take_slot(self._folder, self._component.name, most)
        if slot is None:
            return NotYet(now + ASK_AGAIN_S, f"{most} at once, all busy", "limit")
        places.append(slot)
        return None

    def _take_turn(self, known: Known, now: float) -> NotYet | None:
        gap, _burst = pacing.gap_and_burst(known.pace, self._limit, now)
        if not gap:
            return None
        if known.pace.guess:
            known = self._measure(now)
            gap, _burst = pacing.gap_and_burst(known.pace, self._limit, now)
        free = pacing.free_at(known.pace, self._limit, now)
        if free <= now:
            free = self._call(now)
        if free <= now:
            return None
        self._promised = min(max(free, self._promised + gap), now + LONGEST_QUEUE_S)
        return NotYet(self._promised, f"one call in {gap:.3g} s", "limit")

    def _call(self, now: float) -> float:
        """Take a turn if it is still free; return when one is."""
        free = now

        def take(known: Known) -> Known:
            nonlocal free
            free = pacing.free_at(known.pace, self._limit, now)
            if free > now:
                return known
            return structs.replace(known, pace=pacing.called(known.pace, self._limit, now))

        self._component.change(take)
        return free

    # --- learning -------------------------------------------------------------------------------

    def learn(self, outcome: Failure | None, started_at: float, now: float) -> None:
        ok = breaker.verdict(outcome)
        if outcome is None:
            self._worked.append(now)
        if outcome is not None and outcome.kind is Kind.RATE_LIMIT:
            self._slow_down(outcome.retry_after_s, started_at, now)
        if ok is False:
            wait_s = outcome.retry_after_s if outcome else None
            self._component.change(lambda known: self._after_failure(known, wait_s, now))
        elif ok and self._has_something_to_reset(now):
            self._component.change(
                lambda known: structs.replace(
                    known, memory=breaker.after(known.memory, self._policy, now, ok=True)
                )
            )

    def _has_something_to_reset(self, now: float) -> bool:
        memory = self._component.known.memory
        return bool(memory.failures) or breaker.phase(memory, self._policy, now) == "half_open"

    def _after_failure(self, known: Known, wait_s: float | None, now: float) -> Known:
        """Count it; a component that is overloaded and says until when gets its rest."""
        memory = breaker.after(known.memory, self._policy, now, ok=False)
        pace = known.pace if wait_s is None else pacing.paused(known.pace, now, wait_s)
        return structs.replace(known, memory=memory, pace=pace)

    def _slow_down(self, wait_s: float | None, started_at: float, now: float) -> None:
        self._component.change(
            lambda known: structs.replace(
                known, pace=pacing.slowed(known.pace, self._limit, now, started_at, wait_s)
            )
        )

    def _measure(self, now: float) -> Known:
        """Learn the rate from the calls that worked around the first complaint."""
        pace = self._component.known.pace
        since = pace.learnt_at - max(1.0, pace.pause_s)
        worked = sum(since <= moment <= now for moment in self._worked)
        if worked < pacing.FEW:
            return self._component.known
        return self._component.change(
            lambda known: structs.replace(known, pace=pacing.measured(known.pace, worked))
        )

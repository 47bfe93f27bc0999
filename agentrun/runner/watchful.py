"""Warns while steps run: slower than ever before, a budget that is nearly used up.

Says each thing once a run. Refuses to stop anything: limits do that.
"""

import asyncio

from agentrun.core import events as ev
from agentrun.recovery import budget
from agentrun.runner.desk import Desk

SLOWER = 1.5
"""A step is slow from this many times its slowest success on, and never within LEAST_S."""
LEAST_S = 5.0


class Watchful:
    """Watches the attempts of one task. One alarm looks after them all: most are over before it
    rings, and then cost none of their own.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told: set[str] = set()
        self._due: dict[str, tuple[float, float]] = {}
        self._alarm: asyncio.TimerHandle | None = None

    def begin(self, key: str, slowest: float) -> None:
        """Watch an attempt: warn when it takes longer than the step ever took."""
        due = asyncio.get_running_loop().time() + max(LEAST_S, slowest * SLOWER)
        self._due[key] = due, slowest
        if self._alarm is None or due < self._alarm.when():
            self._look_at(due)

    def end(self, key: str) -> None:
        """Watch it no more."""
        self._due.pop(key, None)

    def used(self, key: str) -> None:
        """Look at the budgets after something was used."""
        limits, state = self._desk.workflow.budget, self._desk.state
        near = budget.near(limits, state, self._desk.with_.clock.now())
        if near is not None and self._first("near"):
            self._desk.record(ev.Warned(f"the budget is nearly used up: {near}", key))
        unknown = budget.unpriced(limits, state)
        if unknown is not None and self._first("unpriced"):
            self._desk.record(ev.Warned(unknown, key))

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for key, (due, slowest) in list(self._due.items()):
            if due > now:
                continue
            del self._due[key]
            patience = max(LEAST_S, slowest * SLOWER)
            text = f"{key} is slower than ever: {patience:.0f} s and not done"
            self._say("slow", f"{text}; its slowest took {slowest:.0f} s", key)
        self._alarm = None
        if self._due:
            self._look_at(min(due for due, _ in self._due.values()))

    def _look_at(self, moment: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(moment, self._look)

    def _say(self, what: str, text: str, key: str) -> None:
        if self._first(f"{what} {key}"):
            self._desk.loop.deliver(lambda: self._desk.record(ev.Warned(text, key)))

    def _first(self, what: str) -> bool:
        first = what not in self._told
        self._told.add(what)
        return first

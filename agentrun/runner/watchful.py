"""Warns while steps run: slower than ever before, a budget that is nearly used up.

Says each thing once a run. Refuses to stop anything: limits do that.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from agentrun.core import events as ev
from agentrun.recovery import budget
from agentrun.runner.desk import Desk

SLOWER = 1.5
"""A step is slow from this many times its slowest success on, and never within LEAST_S."""
LEAST_S = 5.0


class Watchful:
    """Watches the attempts of one task."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told: set[str] = set()

    @contextmanager
    def attempt(self, key: str, slowest: float) -> Iterator[None]:
        """Watch one attempt: warn when it takes longer than the step ever took."""
        patience = max(LEAST_S, slowest * SLOWER)
        text = f"{key} is slower than ever: {patience:.0f} s and not done; its slowest took"
        running = asyncio.get_running_loop()
        alarm = running.call_later(patience, self._say, "slow", f"{text} {slowest:.0f} s", key)
        try:
            yield
        finally:
            alarm.cancel()

    def used(self, key: str) -> None:
        """Look at the budgets after something was used."""
        limits, state = self._desk.workflow.budget, self._desk.state
        now = self._desk.with_.clock.now()
        near = budget.near(limits, state, now)
        if near is not None and self._first("near"):
            full = budget.used_up(limits, state, now)
            told = f"used up: {full}" if full else f"nearly used up: {near}"
            self._desk.record(ev.Warned(f"the budget is {told}", key))
        unknown = budget.unpriced(limits, state)
        if unknown is not None and self._first("unpriced"):
            self._desk.record(ev.Warned(unknown, key))

    def _say(self, what: str, text: str, key: str) -> None:
        if self._first(f"{what} {key}"):
            self._desk.loop.deliver(lambda: self._desk.record(ev.Warned(text, key)))

    def _first(self, what: str) -> bool:
        first = what not in self._told
        self._told.add(what)
        return first

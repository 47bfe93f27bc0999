"""How many items of each `for_each` are in which state, kept without counting them anew.

With 10,000 items a report may look at one item per event, never at all of them. The same numbers
can be counted from a state at once (`count_all`), for reports that are made once.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from agentrun.core import address, events as ev
from agentrun.core.state import StepState, StepStatus, TaskState

DONE: frozenset[StepStatus] = frozenset({"succeeded", "skipped"})
ENDED_BADLY: frozenset[StepStatus] = frozenset({"failed", "blocked", "cancelled"})


class Counts(Struct):
    """The items of one `for_each`. What has no state yet is `total` less all others."""

    total: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: int = 0
    running: int = 0
    waiting: int = 0
    other: int = 0

    @property
    def done(self) -> int:
        """Return how many will not run again."""
        return self.succeeded + self.skipped

    @property
    def pending(self) -> int:
        """Return how many have not begun."""
        begun = self.done + self.failed + self.running + self.waiting + self.other
        return max(0, self.total - begun)

    def add(self, status: StepStatus, change: int) -> None:
        """Count an item in (1) or out (-1)."""
        name = status if status in _COUNTED else "failed" if status in ENDED_BADLY else "other"
        if status != "pending":
            setattr(self, name, getattr(self, name) + change)

    def as_json(self) -> dict[str, int]:
        """Return the numbers for scripts; those that are rarely above zero only when they are."""
        shown = {"total": self.total, "succeeded": self.succeeded, "failed": self.failed}
        for name in ("skipped", "running", "waiting", "pending"):
            if number := getattr(self, name):
                shown[name] = number
        if self.other:
            shown["interrupted"] = self.other
        return shown


_COUNTED = frozenset({"succeeded", "skipped", "failed", "running", "waiting"})


class Tally:
    """Counts of every `for_each` of a task, kept up with its records."""

    def __init__(self, state: TaskState) -> None:
        self.loops: dict[str, Counts] = {}
        self._seen: dict[str, StepStatus] = {}
        self.rebuild(state)

    def rebuild(self, state: TaskState) -> None:
        """Count from scratch."""
        self.loops.clear()
        self._seen.clear()
        for key, step in state.steps.items():
            self._look(key, step)

    def follow(self, records: Sequence[ev.Recorded], state: TaskState) -> None:
        """Take over what the records changed; `state` already includes them."""
        for recorded in records:
            event = recorded.event
            if isinstance(event, ev.StepEvent):
                self._look(event.step, state.step(event.step))
            elif isinstance(event, ev.StepsReset | ev.AttemptsGranted | ev.TaskCancelled):
                self.rebuild(state)

    def _look(self, key: str, step: StepState) -> None:
        if step.items is not None:
            self.loops.setdefault(key, Counts()).total = step.count
        loop = address.parent_loop(key)
        if loop is None:
            return
        counts = self.loops.setdefault(loop, Counts())
        old = self._seen.get(key)
        if old == step.status:
            return
        if old is not None:
            counts.add(old, -1)
        counts.add(step.status, 1)
        self._seen[key] = step.status


def count_all(state: TaskState) -> Mapping[str, Counts]:
    """Return the counts of every `for_each` of a state."""
    return Tally(state).loops

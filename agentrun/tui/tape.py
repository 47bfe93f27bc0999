"""The events of a task as a tape to wind: one row an event, and the state after each.

The rows are made at once (5 µs an event); a state is folded when it is asked for, from the nearest
one that was kept.
"""

from collections.abc import Sequence
from copy import copy

from msgspec import Struct

from agentrun.core import events as ev
from agentrun.core.state import TaskState, apply
from agentrun.report.incident import failed_steps
from agentrun.report.sentences import Sentence
from agentrun.report.timeline import concerns, timeline

MIN_EVENTS_APART = 2000
MAX_KEPT = 8


class Row(Struct, frozen=True):
    """One event with what it says. `needle` is what a filter looks in."""

    recorded: ev.Recorded
    said: Sentence
    needle: str

    @property
    def seq(self) -> int:
        """Return the event's number."""
        return self.recorded.seq

    @property
    def bad(self) -> bool:
        """Return whether something failed here."""
        return self.said.style == "red"


class Tape:
    """The rows of a task, and its state at any of its events."""

    def __init__(self, task_id: str, records: Sequence[ev.Recorded]) -> None:
        self.records = records
        self.rows = [
            Row(recorded, said, f"{said.about} {said.text}".casefold())
            for recorded, said in timeline(task_id, records)
        ]
        self._apart = max(MIN_EVENTS_APART, -(-len(records) // MAX_KEPT))
        self._kept = [TaskState(task_id)]

    @property
    def began(self) -> float:
        """Return when the first event happened."""
        return self.records[0].time

    def state_at(self, seq: int) -> TaskState:
        """Return the state after event `seq`; it is the caller's own."""
        number = seq // self._apart
        while len(self._kept) <= number:
            state = _copied(self._kept[-1])
            self._fold(state, len(self._kept) * self._apart)
            self._kept.append(state)
        state = _copied(self._kept[number])
        self._fold(state, seq)
        return state

    def _fold(self, state: TaskState, seq: int) -> None:
        for recorded in self.records[state.seq : seq]:
            apply(state, recorded)

    def matching(self, text: str) -> list[Row]:
        """Return the rows whose step or words hold the text; all of them for none."""
        wanted = text.strip().casefold()
        return [row for row in self.rows if wanted in row.needle] if wanted else self.rows

    def of_step(self, key: str, seq: int) -> list[tuple[ev.Recorded, Sentence]]:
        """Return what happened to a step up to an event."""
        return [
            (row.recorded, row.said)
            for row in self.rows
            if row.seq <= seq and concerns(row.recorded.event, key)
        ]

    def opening(self, state: TaskState) -> int:
        """Return where to begin to look: the last failure of the step that the ending is about, or
        the last event of a task in which nothing has failed.
        """
        for key in failed_steps(state)[:1]:
            own = [row for row in self.rows if row.said.about == key]
            bad = [row for row in own if isinstance(row.recorded.event, ev.StepFailed)]
            if shown := bad or own:
                return shown[-1].seq
        return self.rows[-1].seq


def step_of(event: ev.Event) -> str | None:
    """Return the step that an event is about, None for the task's own."""
    if isinstance(event, ev.StepEvent | ev.TaskFailed | ev.TaskHalted | ev.Warned):
        return event.step
    return None


def attempt_of(event: ev.Event, state: TaskState) -> int:
    """Return the attempt that an event belongs to, 0 when none had begun; `state` is after it."""
    key = step_of(event)
    if key is None:
        return 0
    match event:
        case (
            ev.StepStarted()
            | ev.StepFailed()
            | ev.StepSucceeded()
            | ev.StepInterrupted()
            | ev.RoundFinished()
        ):
            return event.attempt
        case _:
            return state.step(key).attempts


def _copied(state: TaskState) -> TaskState:
    """Return a state that may be changed: `apply` replaces what its parts hold, never alters it."""
    other = copy(state)
    other.steps = {key: copy(step) for key, step in state.steps.items()}
    return other

"""The board of a running task: which lines a live view shows, without knowing how they are drawn.

Owns the choice of what fits. Finished and untouched steps give way to those at work; of a
`for_each` only the items at work or failed have lines, however many there are. What it keeps is its
own: the view may be drawn by another thread than the one that follows the events.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from agentrun.core import address, events as ev
from agentrun.core.model import Workflow
from agentrun.core.state import StepState, TaskState
from agentrun.report import words
from agentrun.report.inspect_view import items_text
from agentrun.report.result import duration_of
from agentrun.report.sentences import failure_text, usage_text
from agentrun.report.tally import DONE, Counts, Tally

MAX_ITEM_LINES = 4
MIN_HEIGHT = 4

Look = Literal["done", "working", "waiting", "failed", "idle"]
_LOOKS: dict[str, Look] = {
    "succeeded": "done",
    "skipped": "idle",
    "running": "working",
    "waiting": "waiting",
    "interrupted": "waiting",
    "failed": "failed",
    "blocked": "failed",
    "cancelled": "failed",
    "pending": "idle",
}


class Row(Struct):
    """What is kept of a step: copies of facts, never the state itself."""

    key: str
    status: str = "pending"
    waiting: str | None = None
    until: float | None = None
    since: float | None = None
    took_s: float = 0.0
    attempt: int = 0
    of: int = 0
    note: str = ""
    failure: str = ""


class BoardLine(Struct, frozen=True):
    """One line to draw. `share` is set for a progress bar."""

    look: Look
    depth: int
    name: str
    time: str
    text: str
    share: float | None = None


class Board:
    """Follows the events of one task."""

    def __init__(self, workflow: Workflow, state: TaskState) -> None:
        self._top = [step.id for step in workflow.steps]
        self._tally = Tally(state)
        self._rows: dict[str, Row] = {}
        self._inner: dict[str, dict[str, None]] = {}
        self._look_at_all(state)

    def _look_at_all(self, state: TaskState) -> None:
        self._rows = {key: Row(key) for key in self._top}
        self._inner = {}
        for key, step in state.steps.items():
            self._look(key, step)

    def follow(self, records: Sequence[ev.Recorded], state: TaskState) -> None:
        """Take over what the records changed; `state` already includes them."""
        self._tally.follow(records, state)
        for recorded in records:
            event = recorded.event
            if isinstance(event, ev.StepsReset | ev.AttemptsGranted | ev.TaskCancelled):
                self._look_at_all(state)
            elif isinstance(event, ev.StepEvent):
                self._look(event.step, state.step(event.step))
                if isinstance(event, ev.RetryScheduled):
                    self._rows[event.step].of = event.of
        if state.status != "running":
            self._look_at_all(state)

    def _look(self, key: str, step: StepState) -> None:
        """Copy what a line needs. An item, or an inner step, that is done needs none."""
        parent = address.parent_loop(key) or address.parent_scope(key)
        if parent and step.status in DONE:
            self._rows.pop(key, None)
            self._inner.get(parent, {}).pop(key, None)
            return
        if parent:
            self._inner.setdefault(parent, {})[key] = None
        row = self._rows.setdefault(key, Row(key))
        row.status, row.waiting, row.until = step.status, step.waiting, step.until
        row.attempt = step.attempts
        is_whole = step.items is not None or step.scope is not None
        row.since = step.started_at if is_whole else step.attempt_started_at or step.started_at
        row.took_s = duration_of(step)
        row.failure = failure_text(step.failure, 120) if step.failure else ""
        row.note = _note(step)

    # --- lines ----------------------------------------------------------------------------------

    def lines(self, now: float, height: int) -> list[BoardLine]:
        """Return at most `height` lines."""
        height = max(height, MIN_HEIGHT)
        every = [(key, list(self._lines_of(key, now, 0))) for key in self._top]
        total = sum(len(lines) for _, lines in every)
        if total > height:
            every, total = self._folded(every, "done", "steps done", height, total)
        if total > height:
            every, total = self._folded(every, "idle", "steps to come", height, total)
        flat = [line for _, lines in every for line in lines]
        if len(flat) > height:
            left = len(flat) - height + 1
            flat = [*flat[: height - 1], BoardLine("idle", 0, f"… {left:,} more", "", "")]
        return flat

    def _folded(
        self,
        every: list[tuple[str, list[BoardLine]]],
        look: Look,
        name: str,
        height: int,
        total: int,
    ) -> tuple[list[tuple[str, list[BoardLine]]], int]:
        """Put lines of one look into a single one, as many as it takes."""
        foldable = [
            i for i, (_, lines) in enumerate(every) if len(lines) == 1 and lines[0].look == look
        ]
        needed = min(total - height + 1, len(foldable))
        if needed < 2:
            return every, total
        fold = set(foldable[:needed] if look == "done" else foldable[-needed:])
        first = min(fold)
        summary = ("", [BoardLine(look, 0, f"{len(fold):,} {name}", "", "")])
        kept = []
        for index, entry in enumerate(every):
            if index == first:
                kept.append(summary)
            if index not in fold:
                kept.append(entry)
        return kept, total - needed + 1

    def _lines_of(self, key: str, now: float, depth: int) -> Iterator[BoardLine]:
        row = self._rows.get(key) or Row(key)
        counts = self._tally.loops.get(key)
        yield self._line(row, counts, now, depth)
        inner = list(self._inner.get(key, ()))
        if counts is not None:
            inner = sorted(inner, key=lambda k: self._rows[k].status != "failed")[:MAX_ITEM_LINES]
            if row.status == "failed":
                inner = [k for k in inner if self._rows[k].status == "failed"]
        for child in inner:
            if self._rows[child].status != "pending":
                yield from self._lines_of(child, now, depth + 1)

    def _line(self, row: Row, counts: Counts | None, now: float, depth: int) -> BoardLine:
        share = None
        if counts is not None and row.status in {"running", "waiting"}:
            share = (counts.done + counts.failed) / counts.total if counts.total else 1.0
        return BoardLine(
            _LOOKS.get(row.status, "idle"),
            depth,
            row.key.rpartition("/")[2],
            _time(row, now),
            _text(row, counts, now),
            share,
        )


def _note(step: StepState) -> str:
    parts = []
    if step.round > 1:
        parts.append(f"round {step.round}")
    if step.alternative:
        parts.append(f"fallback {step.alternative}")
    if step.waiting == "approval" and step.approval is not None:
        parts.append(words.one_line(step.approval.message, 120))
    elif step.waiting in {"person", "parked"}:
        parts.append(words.one_line(step.question, 120))
    if used := usage_text(step.usage):
        parts.append(used)
    return ", ".join(parts)


def _time(row: Row, now: float) -> str:
    if row.status == "running" and row.since is not None:
        return words.duration(now - row.since)
    return words.duration(row.took_s) if row.took_s or row.status == "succeeded" else ""


def _text(row: Row, counts: Counts | None, now: float) -> str:
    parts = [items_text(counts)] if counts is not None else []
    if row.waiting == "retry" and row.until is not None:
        of = f" of {row.of}" if row.of else ""
        left = words.duration(row.until - now)
        parts.append(f"attempt {row.attempt + 1}{of} in {left}: {row.failure}")
    elif row.waiting is not None and row.until is not None:
        parts.append(words.until(row.until, now))
    elif row.status in {"failed", "blocked"}:
        parts.append(row.failure or row.status)
    elif row.attempt > 1 and row.status != "pending":
        parts.append(f"attempt {row.attempt}" + (f" of {row.of}" if row.of else ""))
    elif row.status in {"skipped", "cancelled", "interrupted"}:
        parts.append(row.status)
    parts.append(row.note)
    return ", ".join(part for part in parts if part)

"""`--events`: the journal's events as NDJSON for programs, each after it is durable.

    {"seq":3,"time":"2026-11-23T12:31:05.123Z","task_id":"triage-...","type":"step_started",
     "step":"issues","attempt":1}                                       (one line on the stream)

With `-` they go to stdout and the last one, the ending, holds `result`: the workflow's outputs. A
value too large for a line stands as in the journal, as a reference to its blob.
"""

from collections.abc import Callable, Sequence

import msgspec

from agentrun.core import events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState
from agentrun.core.value import encoded
from agentrun.report import words

ENDINGS = (
    ev.TaskPaused,
    ev.TaskSucceeded,
    ev.TaskFailed,
    ev.TaskCancelled,
    ev.TaskInterrupted,
)


def event_object(task_id: str, recorded: ev.Recorded) -> dict[str, Json]:
    """Return a record as programs read it."""
    fields = msgspec.to_builtins(recorded.event)
    head = {"seq": recorded.seq, "time": words.iso(recorded.time), "type": fields.pop("type")}
    return {**head, "task_id": task_id, **fields}


class EventsReporter:
    """Writes events to `write`. `hold_last` keeps the ending until `finish` adds the result."""

    def __init__(self, write: Callable[[bytes], None], *, hold_last: bool = False) -> None:
        self._write = write
        self._hold_last = hold_last
        self._held: dict[str, Json] | None = None

    def begin(self, workflow: Workflow, state: TaskState) -> None:
        """Say nothing: a task begins with an event."""

    def records(self, records: Sequence[ev.Recorded], state: TaskState) -> None:
        """Write the events."""
        lines = []
        for recorded in records:
            shown = event_object(state.task_id, recorded)
            if self._hold_last and isinstance(recorded.event, ENDINGS):
                self._held = shown
            else:
                lines.append(encoded(shown) + b"\n")
        if lines:
            self._write(b"".join(lines))

    def finish(self, state: TaskState, outputs: Json) -> None:
        """Write the ending, with the result in it; also of a task in which nothing happened now."""
        held = self._held or {
            "seq": state.seq,
            "time": words.iso(state.updated_at),
            "type": f"task_{state.status}",
            "task_id": state.task_id,
        }
        self._write(encoded({**held, "result": outputs}) + b"\n")
        self._held = None

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Say nothing: output is no event."""

    def warn(self, message: str) -> None:
        """Say nothing: a warning that counts is an event."""

    def end(self, state: TaskState) -> None:
        """Say nothing: `finish` is called with the result."""

"""Who watches a task: the one edge between the runner and everything people look at.

A reporter gets records only after they are durable, in order, each once. It must not change the
state. The runner reports its errors instead of hiding them.
"""

from collections.abc import Sequence
from typing import Protocol

from agentrun.core.events import Recorded
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState


class Reporter(Protocol):
    """Watches one task."""

    def begin(self, workflow: Workflow, state: TaskState) -> None:
        """Take note of the task, before its first record; after a resume, of its state so far."""

    def records(self, records: Sequence[Recorded], state: TaskState) -> None:
        """Take records that are now on disk; `state` already includes them."""

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Take the output of an attempt (redacted) as it comes. May be called very often."""

    def warn(self, message: str) -> None:
        """Take a message that a person should see and that is not an event."""

    def end(self, state: TaskState) -> None:
        """Finish: the process lets go of the task."""

"""Who watches a task: the one edge between the runner and everything people look at.

A reporter is told of records only after they are durable, in order, each once. It may not change
the state, and an error in it is the runner's to report, not to hide.
"""

from collections.abc import Sequence
from typing import Protocol

from agentrun.core.events import Recorded
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState


class Reporter(Protocol):
    """Watches one task."""

    def begin(self, workflow: Workflow, state: TaskState) -> None:
        """Be told of the task before the first record (on resume: its state so far)."""

    def records(self, records: Sequence[Recorded], state: TaskState) -> None:
        """Be told of records that are on disk now; `state` already includes them."""

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Be told of (redacted) output of an attempt as it comes. May be called very often."""

    def warn(self, message: str) -> None:
        """Be told of something a person should know that is no event."""

    def end(self, state: TaskState) -> None:
        """Be told that the process lets go of the task."""

"""`-q`: nothing but warnings that would be lost otherwise. Errors are printed by the command."""

from collections.abc import Sequence

from agentrun.core.events import Recorded
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState


class QuietReporter:
    """Says nothing."""

    def begin(self, workflow: Workflow, state: TaskState) -> None:
        """Say nothing."""

    def records(self, records: Sequence[Recorded], state: TaskState) -> None:
        """Say nothing."""

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Say nothing."""

    def end(self, state: TaskState) -> None:
        """Say nothing."""

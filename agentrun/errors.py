"""The errors that agentrun itself raises, each with the exit code it ends in.

The one error boundary in `agentrun/__main__.py` prints `message`, then `hint` (what to do next),
and exits with `exit_code`: no traceback for what a user or the world did.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class AgentrunError(Exception):
    """Base of all: `message` says what and where, `hint` what to do next.

    `next_words` is the command to type next, without `agentrun`, where one is known; `task_id` the
    task that it is about.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", next_words: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.next_words = tuple(next_words)
        self.task_id: str | None = None


@contextmanager
def about(task_id: str) -> Iterator[None]:
    """Say of every error that leaves this block which task it is about."""
    try:
        yield
    except AgentrunError as error:
        error.task_id = error.task_id or task_id
        raise


class UsageError(AgentrunError):
    """Wrong usage, invalid workflow or inputs, unknown or ambiguous id: nothing ran."""

    exit_code = 2


class StoreError(AgentrunError):
    """A checkpoint is damaged, locked by a live process, or can't be written."""

    exit_code = 4


class Damaged(StoreError):
    """A file of the task is damaged and could not be repaired."""


class Locked(StoreError):
    """A live process holds the task."""


class Fenced(StoreError):
    """Another process took the task over: this one may not append any more."""


class NotWritable(StoreError):
    """A write or sync failed. Final: nothing after it was acknowledged."""

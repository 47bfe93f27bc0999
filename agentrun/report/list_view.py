"""`list`: one row a task."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from agentrun.core.model import Json
from agentrun.report import words
from agentrun.report.inspect_view import STYLES
from agentrun.report.screen import Screen
from agentrun.report.table import Cell, table


class Summary(Protocol):
    """What is known of a task without reading it whole."""

    @property
    def task_id(self) -> str: ...
    @property
    def workflow(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def started(self) -> float | None: ...
    @property
    def updated(self) -> float | None: ...
    @property
    def progress_percentage(self) -> float: ...


def list_lines(tasks: Sequence[Summary], screen: Screen, now: float) -> Iterator[str]:
    """Yield the table; nothing for no tasks."""
    if tasks:
        rows = (_row(task, now) for task in tasks)
        yield from table(screen, ("task", "status", "done", "started", "last event"), rows)


def _row(task: Summary, now: float) -> Sequence[Cell]:
    done = f"{task.progress_percentage:.0f} %" if task.progress_percentage else ""
    return (
        Cell(task.task_id, "bold"),
        Cell(task.status, STYLES.get(task.status, "")),
        Cell(done),
        Cell(words.date(task.started) if task.started else ""),
        Cell(f"{words.duration(now - task.updated)} ago" if task.updated else ""),
    )


def list_object(tasks: Sequence[Summary]) -> list[Json]:
    """Return the tasks for `--json`."""
    return [
        {
            "task_id": task.task_id,
            "workflow": task.workflow,
            "status": task.status,
            "started": words.iso(task.started) if task.started else None,
            "updated": words.iso(task.updated) if task.updated else None,
            "progress_percentage": task.progress_percentage,
        }
        for task in tasks
    ]

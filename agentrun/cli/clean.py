"""`agentrun clean`: remove old tasks."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentrun.cli import complete, options, settings

if TYPE_CHECKING:
    from agentrun.report.screen import Screen
    from agentrun.store.summary import TaskSummary

EXAMPLES = """
agentrun clean --older-than 30d --dry-run
agentrun clean --keep 20 --yes                     # the newest 20 of each workflow stay
agentrun clean --status failed --older-than 90d
"""


def clean_command(
    *,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="DURATION",
            help="Only tasks that have not changed for this long.",
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Tasks in this state instead of succeeded and cancelled ones; may be repeated.",
            autocompletion=complete.statuses,
        ),
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=0, metavar="N", help="Keep the newest N of each workflow.")
    ] = 0,
    workflow: Annotated[
        str | None, typer.Option("--workflow", metavar="NAME", help="Only tasks of this workflow.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    json: options.JsonFlag = False,
) -> int:
    """Remove tasks that are over, with their logs and values.

    Tasks that can still be resumed (failed, paused, interrupted) are removed only if you name their
    state. A task that a process is working on is never removed.
    """
    import time

    from agentrun.cli.ago import moment_ago
    from agentrun.cli.status import checked_statuses
    from agentrun.report import screen
    from agentrun.report.result import write_json
    from agentrun.store import cleaning
    from agentrun.store.manager import CheckpointManager

    now = settings.current()
    manager = CheckpointManager(now.root)
    tasks = cleaning.selected(
        manager,
        statuses=checked_statuses(status) or cleaning.OVER,
        before=moment_ago("--older-than", older_than, time.time()),
        keep=keep,
        workflow=workflow,
    )
    out, err = screen.stdout(color=now.color), screen.stderr(color=now.color)
    if not json:
        out.lines(task.task_id for task in tasks)
    if tasks and not dry_run and not yes and not _agreed(len(tasks), err):
        err.line("nothing was removed")
        return 1
    removed = [] if dry_run else list(cleaning.clean(manager, tasks))
    if json:
        ids = [task.task_id for task in (tasks if dry_run else removed)]
        write_json(out, {"tasks": ids, "removed": not dry_run})
    elif not now.quiet:
        err.line(_summary(tasks, removed, dry_run=dry_run))
    return 0


def _agreed(count: int, err: "Screen") -> bool:
    import sys

    from agentrun.errors import UsageError
    from agentrun.report import words

    if not (sys.stdin.isatty() and err.terminal):
        raise UsageError(
            f"to remove {words.plural(count, 'task')}, say --yes", "or look first: --dry-run"
        )
    return typer.confirm(f"Remove {words.plural(count, 'task')}?", err=True)


def _summary(tasks: "list[TaskSummary]", removed: "list[TaskSummary]", *, dry_run: bool) -> str:
    from agentrun.report import words

    if dry_run:
        return f"{words.plural(len(tasks), 'task')} would be removed"
    left = len(tasks) - len(removed)
    held = f"; {words.plural(left, 'task')} held by a process" if left else ""
    return f"{words.plural(len(removed), 'task')} removed{held}"

"""`agentrun list`: the tasks of a folder, newest first."""

from typing import Annotated

import typer

from agentrun.cli import complete, options, settings

EXAMPLES = """
agentrun list
agentrun list --status failed --workflow triage
agentrun list --json | jq -r '.[].task_id'
"""


def list_command(
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only tasks in this state; may be repeated.",
            autocompletion=complete.statuses,
        ),
    ] = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", metavar="NAME", help="Only tasks of this workflow.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, metavar="N", help="At most N tasks; 0 means all.")
    ] = 20,
    json: options.JsonArray = False,
) -> int:
    """List tasks, the most recently changed first."""
    import time

    from agentrun.cli.status import checked_statuses
    from agentrun.report import screen
    from agentrun.report.list_view import list_lines, list_object
    from agentrun.report.result import write_json
    from agentrun.store.manager import CheckpointManager

    now = settings.current()
    wanted = checked_statuses(status)
    tasks = [
        task
        for task in CheckpointManager(now.root).list()
        if (not wanted or task.status in wanted) and workflow in {None, task.workflow}
    ]
    tasks.sort(key=lambda task: (task.updated or 0.0, task.task_id), reverse=True)
    shown = tasks[: limit or None]
    out = screen.stdout(color=now.color)
    if json:
        write_json(out, list_object(shown))
        return 0
    out.lines(list_lines(shown, out, time.time()))
    err = screen.stderr(color=now.color)
    if not tasks and not now.quiet:
        err.line(f"no tasks in {now.checkpoints}" + (" that fit" if wanted or workflow else ""))
    elif len(tasks) > len(shown) and not now.quiet:
        err.line(err.paint("dim", f"… {len(tasks) - len(shown):,} older; see them with --limit 0"))
    return 0

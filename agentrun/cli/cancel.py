"""`agentrun cancel`: stop a task for good, from any terminal."""

from typing import Annotated

import typer

from agentrun.cli import options, settings

EXAMPLES = """
agentrun cancel latest
agentrun cancel triage-20261123 --reason "wrong repository"
"""


def cancel_command(
    task: options.Task,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")
    ] = "",
) -> int:
    """Cancel a task. If a process is running it, that process ends its steps and exits with 1."""
    from agentrun.report import screen, words
    from agentrun.steer import cancel_task

    now = settings.current()
    task_id = cancel_task(now.root, task, reason)
    err = screen.stderr(color=now.color)
    if not now.quiet:
        err.line(f"{task_id}: cancelled")
        err.line(f"  next     {words.typed(now.command('inspect', task_id))}")
    return 0

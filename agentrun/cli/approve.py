"""`agentrun approve`: answer a step that waits for a person."""

from typing import Annotated

import typer

from agentrun.cli import complete, options, settings

EXAMPLES = """
agentrun approve latest                      # the one step that waits, its first option
agentrun approve latest release reject
"""


def approve_command(
    task: options.Task,
    step: Annotated[
        str | None,
        typer.Argument(
            metavar="STEP",
            help="The step; may be left out if only one waits.",
            autocompletion=complete.steps,
            show_default=False,
        ),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Argument(
            metavar="ANSWER", help="One of its options; by default the first.", show_default=False
        ),
    ] = None,
) -> int:
    """Answer a step that waits for a person.

    If a process is running the task, it goes on by itself; otherwise resume the task.
    """
    from agentrun.report import screen, words
    from agentrun.steer import answer_task
    from agentrun.store.manager import CheckpointManager

    now = settings.current()
    task_id = CheckpointManager(now.root).resolve(task)
    key, live = answer_task(now.root, task_id, step, answer)
    err = screen.stderr(color=now.color)
    if not now.quiet:
        err.line(f"{key}: answered")
        if live:
            err.line("  the process that runs the task goes on with it")
        then = "inspect" if live else "resume"
        err.line(f"  next     {words.typed(now.command(then, task_id))}")
    return 0

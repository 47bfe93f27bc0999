"""`agentrun fork`: a new task that begins where another one stood."""

from typing import Annotated

import typer

from agentrun.cli import complete, options, pairs, settings

EXAMPLES = """
agentrun fork latest                              # a copy of how it stands now
agentrun fork latest --at label --set limit=5     # back to before `label` began, other inputs
agentrun fork latest --workflow improved.yaml
"""


def fork_command(
    task: options.Task,
    *,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="STEP|SEQ",
            help="The moment: right after event SEQ, or right before a step first began.",
            autocompletion=complete.steps,
        ),
    ] = None,
    sets: options.Sets = None,
    workflow: options.NewWorkflow = None,
    json: options.JsonFlag = False,
) -> int:
    """Copy a task, up to a given moment, into a new one. Print its id; run nothing yet."""
    from pathlib import Path

    from agentrun.report import screen, words
    from agentrun.report.result import write_json
    from agentrun.steer import fork_task

    now = settings.current()
    path = Path(workflow) if workflow else None
    new_id = fork_task(now.root, task, at, pairs.parse("--set", sets), path)
    out, err = screen.stdout(color=now.color), screen.stderr(color=now.color)
    command = words.typed(now.command("resume", new_id))
    if json:
        write_json(out, {"task_id": new_id, "next": command})
    else:
        out.line(new_id)
    if not now.quiet:
        err.line(f"  next     {command}")
    return 0

"""`agentrun fork`: a new task that begins where another one stood."""

from agentrun.cli import options, pairs, settings

EXAMPLES = """
agentrun fork latest                              # a copy of how it stands now
agentrun fork latest --at label --set limit=5     # back to before `label` began, other inputs
agentrun fork latest --workflow improved.yaml
"""


def fork_command(
    task: options.Task,
    *,
    at: options.At = None,
    sets: options.Sets = None,
    workflow: options.NewWorkflow = None,
    json: options.JsonFlag = False,
) -> int:
    """Copy a task, up to one moment, into a new one; print the new id. Nothing is run yet."""
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

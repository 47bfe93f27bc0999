"""`agentrun run`: start a task."""

from typing import Annotated

import typer

from agentrun.cli import options, pairs, settings

EXAMPLES = """
agentrun run workflow.yaml
agentrun run workflow.yaml -i repo=octo/hello -i limit=3
echo '{"limit": 3}' | agentrun run workflow.yaml --input-file - --json | jq .outputs
agentrun run workflow.yaml --task-id "$CI_JOB_ID" --resume     # start it, or go on with it
agentrun run workflow.yaml --dry-run
"""


def run_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The workflow file.")],
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="K=V", help="Give an input its value."),
    ] = None,
    input_file: Annotated[
        str | None,
        typer.Option(
            "--input-file",
            metavar="FILE|-",
            help="A JSON object of inputs; -i wins over it. `-` is standard input.",
        ),
    ] = None,
    task_id: Annotated[
        str | None, typer.Option("--task-id", metavar="ID", help="The id of the new task.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --task-id: go on with it if it exists.")
    ] = False,
    max_parallel: options.MaxParallel = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, in order; run nothing.")
    ] = False,
    json: options.JsonFlag = False,
    events: options.Events = None,
) -> int:
    """Run a workflow as a new task.

    The result goes to stdout: the workflow's outputs, or the output of its last step. Progress and
    the task id go to stderr.
    """
    settings.change(json=json or None)
    from pathlib import Path

    from agentrun.cli.watch import watching
    from agentrun.errors import UsageError
    from agentrun.requests import RunRequest

    if resume and task_id is None:
        raise UsageError("--resume needs --task-id", "to go on with a task: agentrun resume ID")
    now = settings.current()
    request = RunRequest(
        file=Path(file),
        inputs={**pairs.read_object(input_file)},
        texts=pairs.parse("-i", inputs),
        task_id=task_id,
        resume_existing=resume,
        max_parallel=max_parallel,
        root=now.root,
    )
    if dry_run:
        from agentrun.cli.dry_run import show

        return show(request, now)
    from agentrun.app import run_task

    with watching(now, events) as watch:
        return watch.conclude(run_task(request, watch.reporters))

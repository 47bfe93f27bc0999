"""`agentrun run`: start a task."""

from typing import Annotated

import typer

from agentrun.cli import options

EXAMPLES = """
agentrun run workflow.yaml
agentrun run workflow.yaml -i repo=octo/hello -i limit=3
echo '{"limit": 3}' | agentrun run workflow.yaml --input-file - --json | jq .outputs
agentrun run workflow.yaml --task-id "$CI_JOB_ID" --resume     # start it, or go on with it
agentrun run workflow.yaml --dry-run
agentrun run workflow.yaml --stub stubs.yaml --inject fetch=429x2     # a test of the workflow
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
            help="A JSON object of inputs; -i takes precedence. `-` is standard input.",
        ),
    ] = None,
    task_id: Annotated[
        str | None, typer.Option("--task-id", metavar="ID", help="The id of the new task.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --task-id: go on with that task if it exists.")
    ] = False,
    max_parallel: options.MaxParallel = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, in order; run nothing.")
    ] = False,
    stub: options.Stub = None,
    inject: options.Inject = None,
    json: options.JsonFlag = False,
    events: options.Events = None,
) -> int:
    """Run a workflow as a new task.

    The result goes to stdout: the workflow's outputs, or the output of its last step. Progress and
    the task id go to stderr.
    """
    from agentrun.cli import start

    return start.run(
        file,
        inputs=inputs,
        input_file=input_file,
        task_id=task_id,
        resume=resume,
        max_parallel=max_parallel,
        dry_run=dry_run,
        stub=stub,
        inject=inject,
        json=json,
        events=events,
    )

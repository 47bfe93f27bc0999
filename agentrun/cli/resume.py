"""`agentrun resume`: go on with a task."""

from typing import Annotated

import typer

from agentrun.cli import complete, options

EXAMPLES = """
agentrun resume latest
agentrun resume triage-20261123 --plan                 # what would run again, and what it saves
agentrun resume latest --from label --set limit=5
agentrun resume latest --retry upload                  # or --skip upload
agentrun resume latest --workflow fixed.yaml
"""


def resume_command(
    task: options.Task,
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be reused and run; run nothing.")
    ] = False,
    from_step: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="Run this step, and everything that depends on it, again.",
            autocompletion=complete.steps,
        ),
    ] = None,
    sets: options.Sets = None,
    workflow: options.NewWorkflow = None,
    retry: Annotated[
        list[str] | None,
        typer.Option(
            "--retry",
            metavar="STEP",
            help="Run this interrupted or failed step again.",
            autocompletion=complete.steps,
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip",
            metavar="STEP",
            help="Count this step as done, without an output.",
            autocompletion=complete.steps,
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar="STEP=VALUE",
            help="Answer a step that waits for a person.",
            autocompletion=complete.step_values,
        ),
    ] = None,
    max_parallel: options.MaxParallel = None,
    stub: options.Stub = None,
    inject: options.Inject = None,
    json: options.JsonFlag = False,
    events: options.Events = None,
) -> int:
    """Go on with a task where it stopped: after a crash, a failure or a pause.

    Finished steps don't run again. A task that has succeeded prints its result again.
    """
    from agentrun.cli import start

    return start.resume(
        task,
        plan=plan,
        from_step=from_step,
        sets=sets,
        workflow=workflow,
        retry=retry,
        skip=skip,
        answers=answers,
        max_parallel=max_parallel,
        stub=stub,
        inject=inject,
        json=json,
        events=events,
    )

"""What `run` and `resume` do, apart from how their command lines are read.

Free of Typer, so that direct.py can call it too. The parameters are those of run.py and resume.py.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentrun.cli import pairs, settings

if TYPE_CHECKING:
    from agentrun.report.reporter import Reporter
    from agentrun.requests import Finished, StubRequest


def run(
    file: str,
    *,
    inputs: Sequence[str] | None = None,
    input_file: str | None = None,
    task_id: str | None = None,
    resume: bool = False,
    max_parallel: int | None = None,
    dry_run: bool = False,
    stub: str | None = None,
    inject: Sequence[str] | None = None,
    json: bool = False,  # noqa: ARG001 - it is in the settings
    events: str | None = None,
) -> int:
    """Start a task; return the exit code."""
    from agentrun.errors import UsageError
    from agentrun.requests import RunRequest, StubRequest

    if resume and task_id is None:
        raise UsageError("--resume needs --task-id", "to go on with a task: agentrun resume ID")
    now = settings.current()
    request = RunRequest(
        file=Path(file),
        inputs=pairs.read_object(input_file),
        texts=pairs.parse("-i", inputs),
        task_id=task_id,
        resume_existing=resume,
        max_parallel=max_parallel,
        root=now.root,
        stub=StubRequest(stub, tuple(inject or ())),
    )
    if dry_run:
        from agentrun.cli.dry_run import show

        return show(request, now)
    from agentrun.app import run_task

    return _watched(lambda reporters: run_task(request, reporters), now, events, request.stub)


def resume(
    task: str,
    *,
    plan: bool = False,
    from_step: str | None = None,
    sets: Sequence[str] | None = None,
    workflow: str | None = None,
    retry: Sequence[str] | None = None,
    skip: Sequence[str] | None = None,
    answers: Sequence[str] | None = None,
    max_parallel: int | None = None,
    stub: str | None = None,
    inject: Sequence[str] | None = None,
    json: bool = False,  # noqa: ARG001 - it is in the settings
    events: str | None = None,
) -> int:
    """Go on with a task; return the exit code."""
    from agentrun.requests import ResumeRequest, StubRequest

    now = settings.current()
    request = ResumeRequest(
        task_id=task,
        from_step=from_step,
        set_inputs=pairs.parse("--set", sets),
        workflow=Path(workflow) if workflow else None,
        retry=tuple(retry or ()),
        skip=tuple(skip or ()),
        answers=pairs.parse("--answer", answers),
        max_parallel=max_parallel,
        root=now.root,
        stub=StubRequest(stub, tuple(inject or ())),
    )
    if plan:
        from agentrun.cli.plan import show

        return show(request, now)
    if workflow is not None and not now.quiet:
        from agentrun.cli.plan import announce

        announce(request, now)
    from agentrun.app import resume_task

    return _watched(lambda reporters: resume_task(request, reporters), now, events, request.stub)


def _watched(
    perform: "Callable[[Sequence[Reporter]], Finished]",
    now: settings.Settings,
    events: str | None,
    stub: "StubRequest",
) -> int:
    """Run or resume, and go on for as long as the person at the terminal answers what it asks."""
    from agentrun.app import resume_task
    from agentrun.cli.watch import watching
    from agentrun.requests import ResumeRequest

    while True:
        with watching(now, events) as watch:
            finished = perform(watch.reporters)
            given = _answers(finished, now) if events != "-" else {}
            if not given:
                return watch.conclude(finished)
        request = ResumeRequest(finished.task_id, now.root, answers=given, stub=stub)
        perform = partial(resume_task, request)


def _answers(finished: "Finished", now: settings.Settings) -> dict[str, str]:
    if finished.exit_code != 3:
        return {}
    from agentrun.cli.ask import answers

    return answers(finished, now)

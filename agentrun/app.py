"""The composition root: what the commands call. Real clock, store, registries and reporters meet.

Owns `run` and `resume`: what they check, in which order, before the loop and after it. Steering a
task from outside is in steer.py. Raises AgentrunError for everything that a user or the world did.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentrun import __version__
from agentrun.aftermath import conclude, result_of
from agentrun.changes import planned, resolved_inputs, secret_values
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState, apply
from agentrun.core.value import Value
from agentrun.errors import UsageError, about
from agentrun.foresight import warnings
from agentrun.perform import Run, perform
from agentrun.pinned import edited_since, pinned_workflow
from agentrun.report.reporter import Reporter
from agentrun.requests import Finished, ResumeRequest, RunRequest, StubRequest
from agentrun.runner import edit
from agentrun.runner.inputs import InputProblem, typed
from agentrun.store import host
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
from agentrun.store.view import TaskView
from agentrun.workflow.cache import load_cached
from agentrun.workflow.source_file import read_bytes

if TYPE_CHECKING:
    from agentrun.runner.stub import Stubs

DEFAULT_MAX_PARALLEL = 8
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def run_task(request: RunRequest, reporters: Sequence[Reporter] = ()) -> Finished:
    """Start a task and run it to its end, pause or stop."""
    manager = CheckpointManager(request.root)
    if request.task_id is not None and request.resume_existing and _exists(manager, request):
        resume = ResumeRequest(
            request.task_id,
            request.root,
            max_parallel=request.max_parallel,
            stub=request.stub,
            instead_of=request,
        )
        return resume_task(resume, reporters)
    text = read_bytes(request.file)
    workflow = load_cached(request.file, text)
    inputs = resolved_inputs(workflow, request)
    stubs = _stubs(request.stub, workflow, manager)
    secrets = secret_values(workflow, optional=bool(stubs))
    clock = SteadyClock()
    task_id = request.task_id
    if task_id is None:
        task_id = new_id(manager, workflow, clock)
    values = manager.new_values(task_id, secrets)
    started = ev.TaskStarted(
        workflow=workflow.name,
        workflow_sha256=workflow.sha256,
        workflow_path=_recordable(str(request.file.resolve())),
        cwd=_recordable(os.getcwd()),
        inputs=values.put(inputs),
        holder=host.this_process(1),
        max_parallel=_parallel(request.max_parallel, None),
        version=__version__,
        steps_total=len(workflow.steps),
        sources={path: values.put_text(s.encode()) for path, s in workflow.sources.items()},
    )
    first = [ev.Recorded(1, clock.now(), started)]
    with (
        manager.create(task_id, text, workflow.sources, first, secrets, values=values) as task,
        about(task_id),
    ):
        task.tell_repairs(lambda repair: _warn(reporters, repair))
        for reporter in reporters:
            reporter.records(first, task.state)
        warned = [ev.Warned(each) for each in warnings(workflow, manager, clock.now())]
        run = Run(task, workflow, secrets, manager, reporters, clock, stubs)
        return _perform(run, [*_marked(stubs), *warned])


def _recordable(path: str) -> str:
    """Return the path; a journal is UTF-8, and a resume must find what it names."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        raise UsageError(
            f"{shown} is no UTF-8: a task there could not be resumed", "rename it"
        ) from None
    return path


def resume_task(request: ResumeRequest, reporters: Sequence[Reporter] = ()) -> Finished:
    """Go on with a task; on one that has succeeded, return its result again."""
    manager = CheckpointManager(request.root)
    task_id = manager.resolve(request.task_id)
    with about(task_id):
        return _resumed(manager, task_id, request, reporters)


def _resumed(
    manager: CheckpointManager,
    task_id: str,
    request: ResumeRequest,
    reporters: Sequence[Reporter],
) -> Finished:
    if manager.seems_succeeded(task_id):  # then no lock is needed, and nothing is changed
        view = manager.read(task_id)
        if view.certain and _is_over(view.state, request):
            pinned = pinned_workflow(view)
            view.values.secrets.learn(secret_values(pinned, optional=bool(request.stub)))
            _tell_kept(view, pinned, request, reporters)
            return _told_again(task_id, view.state, view.values.get, pinned)
    with manager.open(task_id) as task:
        pinned = pinned_workflow(task)
        _refuse_unsaid(task.state, request)
        secrets = secret_values(pinned, optional=bool(request.stub))
        task.values.secrets.learn(secrets)
        task.tell_repairs(lambda repair: _warn(reporters, repair))
        if request.workflow is None:
            _tell_kept(task, pinned, request, reporters)
        if _is_over(task.state, request):
            return _told_again(task_id, task.state, task.values.get, pinned)
        clock = SteadyClock(not_before=task.state.updated_at)
        import asyncio

        from agentrun.leftovers import end_leftovers_of

        asyncio.run(end_leftovers_of(task))
        workflow, events = planned(task.state, pinned, request, task.bind, task.values)
        parallel = _parallel(request.max_parallel, task.state)
        epoch = 1 if task.state.holder is None else task.state.holder.epoch + 1
        stubs = _stubs(request.stub, workflow, manager)
        first = [ev.TaskResumed(host.this_process(epoch), parallel), *events, *_marked(stubs)]
        run = Run(task, workflow, secrets, manager, reporters, clock, stubs)
        finished = _perform(run, first)
        if request.workflow is not None:
            task.write_workflow()
        return finished


def _warn(reporters: Sequence[Reporter], message: str) -> None:
    for reporter in reporters:
        reporter.warn(message)


def _tell_kept(
    task: TaskView | TaskStore,
    pinned: Workflow,
    request: ResumeRequest,
    reporters: Sequence[Reporter],
) -> None:
    """Say where the task goes on with another definition, or other inputs, than one might think."""
    state, asked = task.state, request.instead_of
    file = Path(state.workflow_path) if asked is None else asked.file
    for path in edited_since(state, file):
        kept = f"the task keeps the definition it began with, {path.name} holds another"
        again = _command(request, "resume", state.task_id, "--workflow", str(file))
        _warn(reporters, f"{kept}; to take that: {again}")
        break
    if asked is None or request.stub or not (asked.inputs or asked.texts):
        return
    mine = task.values.get(state.inputs) if state.inputs is not None else {}
    try:
        given = {**asked.inputs, **typed(pinned.inputs, asked.texts)}
    except InputProblem:
        given = {**asked.inputs, **asked.texts}
    others = [name for name, value in given.items() if mine.get(name) != value]
    if others:
        again = _command(request, "resume", state.task_id, "--set", f"{others[0]}=...")
        _warn(reporters, f"the task keeps its inputs ({', '.join(others)}); to change one: {again}")


def _command(request: ResumeRequest, *given: str) -> str:
    """Return a command for the folder at hand, as one types it."""
    from agentrun.report import words

    root = request.root.resolve()
    folder = [] if root == Path("checkpoints").resolve() else ["--checkpoints", str(request.root)]
    return words.typed(["agentrun", *folder, *given])


def _is_over(state: TaskState, request: ResumeRequest) -> bool:
    return state.status == "succeeded" and not request.changes


def _told_again(
    task_id: str, state: TaskState, get: Callable[[Value], Json], pinned: Workflow
) -> Finished:
    return Finished(task_id, 0, state, pinned, result_of(state, get))


def plan_resume(request: ResumeRequest) -> list[edit.Row]:
    """Return what the resume would do with each step, and why. Changes nothing."""
    manager = CheckpointManager(request.root)
    view = manager.read(manager.resolve(request.task_id))
    pinned, state = pinned_workflow(view), view.state
    view.values.secrets.learn(secret_values(pinned, optional=True))
    why: dict[str, str] = {}
    if request.workflow is not None:
        why = dict(edit.rebound(pinned, load_cached(request.workflow), state).why)
    workflow, events = planned(
        state, pinned, request, lambda _text, _sources: ("", {}), view.values
    )
    for event in events:
        apply(state, ev.Recorded(state.seq + 1, state.updated_at, event))
    return edit.rows(workflow, state, why)


# --- parts ----------------------------------------------------------------------------------------


def _stubs(asked: StubRequest, workflow: Workflow, manager: CheckpointManager) -> "Stubs | None":
    if not asked:
        return None
    from agentrun.stubs import read_stubs

    return read_stubs(asked, workflow, manager)


def _marked(stubs: "Stubs | None") -> list[ev.Event]:
    """Return the event that says of a task that not everything in it is real."""
    if not stubs:  # none, or `--stub none`
        return []
    from agentrun.stubs import mark

    return [ev.Warned(mark(stubs))]


def _refuse_unsaid(state: TaskState, request: ResumeRequest) -> None:
    """Keep a task that was begun with stubs from doing the rest for real by accident."""
    if request.stub or not state.warnings or state.status == "succeeded":
        return
    from agentrun.stubs import is_stubbed

    if is_stubbed(state):
        raise UsageError(
            f"{state.task_id} was run with stubs",
            "give --stub again, or say --stub none to do the rest for real",
        )


def _perform(run: Run, first: Sequence[ev.Event]) -> Finished:
    """Run the loop, then do what follows from its end."""
    state, before = run.task.state, run.task.state.updated_at
    perform(run, first)
    assert state.ending is not None, "the loop returns only when the task has ended or paused"
    exit_code, outputs = state.ending.exit_code, result_of(state, run.task.values.get)
    conclude(run, before)
    return Finished(run.task.task_id, exit_code, state, run.workflow, outputs)


def _exists(manager: CheckpointManager, request: RunRequest) -> bool:
    return request.task_id in manager.ids()


def new_id(manager: CheckpointManager, workflow: Workflow, clock: SteadyClock) -> str:
    return manager.new_task_id(workflow.name, clock.now(), _random4)


def _random4() -> str:
    """Return four random letters and digits: two of a second are alike once in 1.7 million."""
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(4))


def _parallel(asked: int | None, state: TaskState | None) -> int:
    if asked is not None and asked < 1:
        raise UsageError(f"--max-parallel must be at least 1, not {asked}", "e.g. --max-parallel 4")
    return asked or (state.max_parallel if state else DEFAULT_MAX_PARALLEL)

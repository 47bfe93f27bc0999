"""The composition root: what the commands call. Real clock, store, registries and reporters meet.

Owns `run` and `resume`: what they check, in which order, before the loop and after it. Steering a
task from outside is in steer.py. Raises AgentrunError for everything that a user or the world did.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agentrun import __version__
from agentrun.changes import planned, resolved_inputs
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import TaskState, apply
from agentrun.core.value import Value
from agentrun.errors import UsageError, about
from agentrun.foresight import seen_before
from agentrun.perform import perform, refuse_survivors
from agentrun.pinned import pinned_workflow
from agentrun.recovery import history
from agentrun.report.reporter import Reporter
from agentrun.requests import Finished, ResumeRequest, RunRequest, StubRequest
from agentrun.runner import edit
from agentrun.runner.names import Outputs
from agentrun.store import host
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
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
            request.task_id, request.root, max_parallel=request.max_parallel, stub=request.stub
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
        warned = [ev.Warned(each) for each in seen_before(workflow, manager)]
        events = [*_marked(stubs), *warned]
        return _perform(manager, task, workflow, events, secrets, reporters, clock, stubs)


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
            return _told_again(task_id, view.state, view.values.get, pinned)
    with manager.open(task_id) as task:
        pinned = pinned_workflow(task)
        _refuse_unsaid(task.state, request)
        secrets = secret_values(pinned, optional=bool(request.stub))
        task.values.secrets.learn(secrets)
        task.tell_repairs(lambda repair: _warn(reporters, repair))
        if _is_over(task.state, request):
            return _told_again(task_id, task.state, task.values.get, pinned)
        clock = SteadyClock(not_before=task.state.updated_at)
        import asyncio

        asyncio.run(end_leftovers_of(task))
        workflow, events = planned(task.state, pinned, request, task.bind, task.values)
        parallel = _parallel(request.max_parallel, task.state)
        epoch = 1 if task.state.holder is None else task.state.holder.epoch + 1
        stubs = _stubs(request.stub, workflow, manager)
        first = [ev.TaskResumed(host.this_process(epoch), parallel), *events, *_marked(stubs)]
        finished = _perform(manager, task, workflow, first, secrets, reporters, clock, stubs)
        if request.workflow is not None:
            task.write_workflow()
        return finished


def _warn(reporters: Sequence[Reporter], message: str) -> None:
    for reporter in reporters:
        reporter.warn(message)


def _is_over(state: TaskState, request: ResumeRequest) -> bool:
    return state.status == "succeeded" and not request.changes


def _told_again(
    task_id: str, state: TaskState, get: Callable[[Value], Json], pinned: Workflow
) -> Finished:
    return Finished(task_id, 0, state, pinned, _result(state, get))


def plan_resume(request: ResumeRequest) -> list[edit.Row]:
    """Return what the resume would do with each step, and why. Changes nothing."""
    manager = CheckpointManager(request.root)
    view = manager.read(manager.resolve(request.task_id))
    pinned, state = pinned_workflow(view), view.state
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


def secret_values(workflow: Workflow, *, optional: bool = False) -> dict[str, str]:
    """Return the declared secrets from the environment. Raises UsageError for missing ones, unless
    they are optional: a stubbed step needs none.
    """
    names = {*workflow.secrets}
    for sub in workflow.subworkflows.values():
        names |= secret_values_names(sub)
    missing = sorted(name for name in names if not os.environ.get(name))
    if missing and not optional:
        raise UsageError(
            f"the workflow {workflow.name} needs secrets that are not set: {', '.join(missing)}",
            f"export {missing[0]}=... and run it again",
        )
    return {name: os.environ[name] for name in sorted(names.difference(missing))}


def secret_values_names(workflow: Workflow) -> set[str]:
    """Return the names of the secrets of a workflow and of those below it."""
    below = (secret_values_names(sub) for sub in workflow.subworkflows.values())
    return set(workflow.secrets).union(*below)


def _perform(
    manager: CheckpointManager,
    task: TaskStore,
    workflow: Workflow,
    first: Sequence[ev.Event],
    secrets: Mapping[str, str],
    reporters: Sequence[Reporter],
    clock: SteadyClock,
    stubs: "Stubs | None",
) -> Finished:
    """Run the loop, then tidy up: a snapshot of the end, and after success what is superseded."""
    before = task.state.updated_at
    perform(
        task,
        workflow,
        first=first,
        secrets=secrets,
        manager=manager,
        reporters=reporters,
        clock=clock,
        stubs=stubs,
    )
    state = task.state
    task.snapshot(state)
    assert state.ending is not None, "the loop returns only when the task has ended or paused"
    outputs = _result(state, task.values.get)
    if not stubs:  # what was made up teaches nothing
        history.remember(manager.shared, workflow, state, before)
        if workflow.notify:
            _notify(task, workflow, secrets, reporters, clock)
    if state.status == "succeeded":
        _forget_worktrees(task, workflow)
        task.clean_after_success()
        from agentrun.store.cleaning import retain

        retain(manager, workflow.name, workflow.retention)
    return Finished(task.task_id, state.ending.exit_code, state, workflow, outputs)


def _notify(
    task: TaskStore,
    workflow: Workflow,
    secrets: Mapping[str, str],
    reporters: Sequence[Reporter],
    clock: SteadyClock,
) -> None:
    """Tell people how it ended; what could not be delivered is a warning, no more."""
    from agentrun.notify import tell

    state = task.state
    for problem in tell(workflow, state, secrets):
        time = max(clock.now(), state.updated_at)
        recorded = ev.Recorded(state.seq + 1, time, ev.Warned(problem))
        apply(state, recorded)
        task.append([recorded])
        for reporter in reporters:
            reporter.warn(problem)


def _forget_worktrees(task: TaskStore, workflow: Workflow) -> None:
    """Take the worktrees of agents out of git's records; their folders go with the state."""
    if not any(_in_worktree(step) for step in _all_steps(workflow)):
        return
    from agentrun.steps.agents.workspace import forget
    from agentrun.store.names import step_folder

    for key in task.state.steps:
        folder = task.folder / "state" / step_folder(key)
        if folder.is_dir():
            forget(folder)


def _in_worktree(step: Step) -> bool:
    ways = (step.spec, *(way.spec for way in step.fallback))
    return any(spec.get("workspace") == "worktree" for spec in ways)


def _all_steps(workflow: Workflow) -> Iterator[Step]:
    yield from workflow.steps
    for inner in workflow.subworkflows.values():
        yield from _all_steps(inner)


def _result(state: TaskState, get: Callable[[Value], Json]) -> Json:
    ending = state.ending
    if ending is None or ending.outputs is None:
        return None
    return Outputs(state, get).get(ending.outputs)


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


async def end_leftovers_of(task: TaskStore) -> None:
    """End what is left of a dead run, before its steps run again."""
    from agentrun.steps.orphans import end_leftovers

    state, folder = task.state, str(task.folder)
    for key, step in state.steps.items():
        if step.undecided:  # the Debugger's agent may have been at work on it
            left = await end_leftovers(task_id=state.task_id, step=f"{key}/debugger", folder=folder)
            refuse_survivors(key, left.survivors)
        if step.status != "running" or step.items is not None or step.scope is not None:
            continue
        noted, holder = step.process, state.holder
        left = await end_leftovers(
            task_id=state.task_id,
            step=key,
            folder=folder,
            pid=None if noted is None else noted.pid,
            started=0 if noted is None else noted.started,
            boot="" if holder is None else holder.boot_id,
        )
        refuse_survivors(key, left.survivors)

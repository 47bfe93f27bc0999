"""The composition root: what the commands call. Real clock, store, registries and reporters meet.

Owns the requests and answers of the commands that change tasks. Raises AgentrunError for everything
that a user or the world did; each has its exit code.
"""

import asyncio
import os
import secrets as random_source
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from agentrun import __version__
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState, apply
from agentrun.core.value import Value
from agentrun.errors import UsageError
from agentrun.perform import perform, refuse_survivors
from agentrun.report.reporter import Reporter
from agentrun.runner import edit
from agentrun.runner.inputs import InputProblem, checked_inputs, typed
from agentrun.runner.names import Outputs
from agentrun.steps.orphans import end_leftovers
from agentrun.store import host
from agentrun.store.cleaning import retain
from agentrun.store.manager import CheckpointManager
from agentrun.store.shared import SHARED
from agentrun.store.task import TaskStore
from agentrun.store.values import ValueStore
from agentrun.store.view import TaskView
from agentrun.workflow.cache import load_cached
from agentrun.workflow.source_file import read_bytes

DEFAULT_MAX_PARALLEL = 8


class RunRequest(Struct, frozen=True):
    """`agentrun run`: `texts` are `-i k=v` as typed, `inputs` come from `--input-file`."""

    file: Path
    root: Path
    inputs: Mapping[str, Json] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    task_id: str | None = None
    resume_existing: bool = False
    max_parallel: int | None = None


class ResumeRequest(Struct, frozen=True):
    """`agentrun resume`."""

    task_id: str
    root: Path
    from_step: str | None = None
    set_inputs: Mapping[str, str] = field(default_factory=dict)
    workflow: Path | None = None
    retry: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    max_parallel: int | None = None

    @property
    def changes(self) -> bool:
        """Return whether a person asks for anything but going on."""
        asked = (self.from_step, self.set_inputs, self.workflow, self.retry, self.skip)
        return any(asked) or bool(self.answers)


Bind = Callable[[bytes, Mapping[str, str]], tuple[str, dict[str, str]]]
"""Keeps a definition's text and its sub-workflows' and returns their hashes."""


class Finished(Struct, frozen=True):
    """How a run or a resume ended. `outputs` is the result, secrets resolved: for stdout alone."""

    task_id: str
    exit_code: int
    state: TaskState
    workflow: Workflow
    outputs: Json = None


def run_task(request: RunRequest, reporters: Sequence[Reporter] = ()) -> Finished:
    """Start a task and run it to its end, pause or stop."""
    manager = CheckpointManager(request.root)
    if request.task_id is not None and request.resume_existing and _exists(manager, request):
        resume = ResumeRequest(request.task_id, request.root, max_parallel=request.max_parallel)
        return resume_task(resume, reporters)
    text = read_bytes(request.file)
    workflow = load_cached(request.file, text)
    inputs = resolved_inputs(workflow, request)
    secrets = secret_values(workflow)
    clock = SteadyClock()
    task_id = request.task_id or _new_id(manager, workflow, clock)
    values = manager.new_values(task_id, secrets)
    started = ev.TaskStarted(
        workflow=workflow.name,
        workflow_sha256=workflow.sha256,
        workflow_path=str(request.file.resolve()),
        cwd=os.getcwd(),
        inputs=values.put(inputs),
        holder=host.this_process(1),
        max_parallel=_parallel(request.max_parallel, None),
        version=__version__,
        steps_total=len(workflow.steps),
        sources={path: values.put_text(s.encode()) for path, s in workflow.sources.items()},
    )
    first = [ev.Recorded(1, clock.now(), started)]
    with manager.create(task_id, text, workflow.sources, first, secrets, values=values) as task:
        for reporter in reporters:
            reporter.records(first, task.state)
        return _perform(manager, task, workflow, [], secrets, reporters, clock)


def resume_task(request: ResumeRequest, reporters: Sequence[Reporter] = ()) -> Finished:
    """Go on with a task; on one that has succeeded, return its result again."""
    manager = CheckpointManager(request.root)
    task_id = manager.resolve(request.task_id)
    before = manager.read(task_id)
    pinned = _pinned(before)
    secrets = secret_values(pinned)
    if before.state.status == "succeeded" and not request.changes:
        view = manager.read(task_id, secrets)
        assert view.state.ending is not None
        outputs = _result(view.state, view.values.get)
        return Finished(task_id, 0, view.state, pinned, outputs)
    with manager.open(task_id, secrets) as task:
        for repair in task.repairs:
            for reporter in reporters:
                reporter.warn(repair)
        clock = SteadyClock(not_before=task.state.updated_at)
        asyncio.run(_end_leftovers(task.state))
        workflow, events = planned(task.state, pinned, request, task.bind, task.values)
        parallel = _parallel(request.max_parallel, task.state)
        epoch = 1 if task.state.holder is None else task.state.holder.epoch + 1
        first = [ev.TaskResumed(host.this_process(epoch), parallel), *events]
        finished = _perform(manager, task, workflow, first, secrets, reporters, clock)
        if request.workflow is not None:
            task.write_workflow()
        return finished


def plan_resume(request: ResumeRequest) -> list[edit.Row]:
    """Return what the resume would do with each step, and why. Changes nothing."""
    manager = CheckpointManager(request.root)
    view = manager.read(manager.resolve(request.task_id))
    pinned, state = _pinned(view), view.state
    why: dict[str, str] = {}
    if request.workflow is not None:
        _, why = edit.rebound(pinned, load_cached(request.workflow), state)
    workflow, events = planned(
        state, pinned, request, lambda _text, _sources: ("", {}), view.values
    )
    for event in events:
        apply(state, ev.Recorded(state.seq + 1, state.updated_at, event))
    return edit.rows(workflow, state, why)


def planned(
    state: TaskState,
    pinned: Workflow,
    request: ResumeRequest,
    bind: Bind,
    values: ValueStore,
) -> tuple[Workflow, list[ev.Event]]:
    """Return the definition to go on with, and the events that a person's changes amount to.

    `state` is a scratch copy's worth of facts: it is read, and every event is applied to it here
    only by the caller.
    """
    events: list[ev.Event] = [
        ev.StepInterrupted(key, step.attempts, "agentrun ended while it ran")
        for key, step in state.steps.items()
        if step.status == "running" and step.items is None and step.scope is None
    ]
    workflow = pinned
    if request.workflow is not None:
        workflow, rebinding = _rebind(state, pinned, request.workflow, bind)
        events += rebinding
    if request.set_inputs:
        events += _set_inputs(state, workflow, request.set_inputs, values)
    if request.from_step is not None:
        edit.definition(workflow, state, request.from_step)
        events += edit.reset(workflow, state, [request.from_step], f"--from {request.from_step}")
    for key in request.retry:
        edit.definition(workflow, state, key)
        done = state.step(key).status in {"succeeded", "skipped"}
        again = edit.reset(workflow, state, [key], f"--retry {key}") if done else None
        events += edit.retried(state, key) if again is None else again
    for key in request.skip:
        edit.definition(workflow, state, key)
        events += edit.skipped(state, key)
    for key, answer in request.answers.items():
        edit.definition(workflow, state, key)
        events += edit.answered(state, key, answer, by="resume")
    if state.status in {"failed", "paused", "cancelled"}:
        touched = {*request.skip, *request.answers}
        events = [*edit.granted(state, touched), *events]
    return workflow, events


def answer_task(root: Path, task: str, step: str | None, answer: str | None) -> tuple[str, bool]:
    """Answer a step that waits for a person. Returns the step, and whether a live process has
    the task (which then goes on by itself); otherwise a resume goes on.
    """
    from agentrun.runner.mailbox import Letter, Mailbox

    manager = CheckpointManager(root)
    task_id = manager.resolve(task)
    view = manager.read(task_id)
    key = step or _the_one_waiting(view.state)
    chosen = answer or _first_option(view.state, key)
    by = os.environ.get("USER") or str(os.getuid())
    edit.answered(view.state, key, chosen, by)
    if view.running:
        Mailbox(view.folder).post(Letter(key, chosen, by))
        return key, True
    with manager.open(task_id, {}) as opened:
        clock = SteadyClock(not_before=opened.state.updated_at)
        _append(opened, edit.answered(opened.state, key, chosen, by), clock)
    return key, False


def cancel_task(root: Path, task: str, reason: str = "") -> str:
    """Cancel a task, also one that another process runs. Returns its id."""
    import signal

    from agentrun.runner.mailbox import Mailbox

    manager = CheckpointManager(root)
    task_id = manager.resolve(task)
    view = manager.read(task_id)
    if view.state.status in {"succeeded", "cancelled"}:
        raise UsageError(f"{task_id} has {view.state.status}: there is nothing to cancel")
    if view.running:
        assert view.held is not None
        Mailbox(view.folder).post_cancellation(reason or "cancelled by a person")
        os.kill(view.held.holder.pid, signal.SIGTERM)
        return task_id
    with manager.open(task_id, {}) as opened:
        clock = SteadyClock(not_before=opened.state.updated_at)
        asyncio.run(_end_leftovers(opened.state))
        _append(opened, [ev.TaskCancelled(reason or "cancelled by a person")], clock)
    return task_id


def fork_task(
    root: Path,
    task: str,
    at: str | None = None,
    set_inputs: Mapping[str, str] | None = None,
    workflow: Path | None = None,
) -> str:
    """Make a new task out of another one's past, paused there. Returns its id.

    `at` is a seq of the journal, or a step: then everything before that step first began.
    """
    from agentrun.store.fork import copy_until

    manager = CheckpointManager(root)
    view = manager.read(manager.resolve(task))
    pinned = _pinned(view)
    secrets = secret_values(pinned)
    seq = _fork_point(view, pinned, at)
    clock = SteadyClock(not_before=view.records[seq - 1].time)
    new_id = _new_id(manager, pinned, clock)
    with copy_until(manager, view.task_id, seq, new_id, secrets) as forked:
        request = ResumeRequest(new_id, root, set_inputs=dict(set_inputs or {}), workflow=workflow)
        _, events = planned(forked.state, pinned, request, forked.bind, forked.values)
        pause = ev.TaskPaused("interrupted", 3, f"forked from {view.task_id} at event {seq}")
        _append(forked, [*events, pause], clock)
        if workflow is not None:
            forked.write_workflow()
    return new_id


# --- parts ----------------------------------------------------------------------------------------


def resolved_inputs(workflow: Workflow, request: RunRequest) -> dict[str, Json]:
    """Return the inputs of a new task; `-i` wins over `--input-file`."""
    try:
        given = {**request.inputs, **typed(workflow.inputs, request.texts)}
        return checked_inputs(workflow.inputs, given)
    except InputProblem as problem:
        raise UsageError(f"inputs of {workflow.name}: {problem}", _input_help(workflow)) from None


def secret_values(workflow: Workflow) -> dict[str, str]:
    """Return the declared secrets from the environment. Raises UsageError for missing ones."""
    names = {*workflow.secrets}
    for sub in workflow.subworkflows.values():
        names |= secret_values_names(sub)
    missing = sorted(name for name in names if not os.environ.get(name))
    if missing:
        raise UsageError(
            f"the workflow {workflow.name} needs secrets that are not set: {', '.join(missing)}",
            f"export {missing[0]}=... and run it again",
        )
    return {name: os.environ[name] for name in sorted(names)}


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
) -> Finished:
    """Run the loop, then tidy up: a snapshot of the end, and after success what is superseded."""
    perform(
        task,
        workflow,
        first=first,
        secrets=secrets,
        shared=Path(manager.root) / SHARED,
        reporters=reporters,
        clock=clock,
    )
    state = task.state
    task.snapshot(state)
    assert state.ending is not None, "the loop returns only when the task has ended or paused"
    outputs = _result(state, task.values.get)
    if state.status == "succeeded":
        task.clean_after_success()
        retain(manager, workflow.name, workflow.retention)
    return Finished(task.task_id, state.ending.exit_code, state, workflow, outputs)


def _result(state: TaskState, get: Callable[[Value], Json]) -> Json:
    ending = state.ending
    if ending is None or ending.outputs is None:
        return None
    return Outputs(state, get).get(ending.outputs)


def _exists(manager: CheckpointManager, request: RunRequest) -> bool:
    return request.task_id in manager.ids()


def _new_id(manager: CheckpointManager, workflow: Workflow, clock: SteadyClock) -> str:
    return manager.new_task_id(workflow.name, clock.now(), random_source.token_hex(2))


def _parallel(asked: int | None, state: TaskState | None) -> int:
    if asked is not None and asked < 1:
        raise UsageError(f"--max-parallel must be at least 1, not {asked}", "e.g. --max-parallel 4")
    return asked or (state.max_parallel if state else DEFAULT_MAX_PARALLEL)


def _pinned(view: TaskView) -> Workflow:
    """Return the definition that a task is bound to."""
    return load_cached(Path(view.state.workflow_path), view.workflow_text, view.sources)


async def _end_leftovers(state: TaskState) -> None:
    """End what is left of a dead run, before its steps run again."""
    for key, step in state.steps.items():
        if step.status != "running" or step.items is not None or step.scope is not None:
            continue
        noted, holder = step.process, state.holder
        left = await end_leftovers(
            task_id=state.task_id,
            step=key,
            pid=None if noted is None else noted.pid,
            started=0 if noted is None else noted.started,
            boot="" if holder is None else holder.boot_id,
        )
        refuse_survivors(key, left.survivors)


def _rebind(
    state: TaskState, pinned: Workflow, path: Path, bind: Bind
) -> tuple[Workflow, list[ev.Event]]:
    """Bind the task to another definition: what is the same is kept, the rest is forgotten."""
    text = read_bytes(path)
    workflow = load_cached(path, text)
    stale, _ = edit.rebound(pinned, workflow, state)
    digest, sources = bind(text, workflow.sources)
    changed = ev.WorkflowChanged(
        workflow.name, digest, str(path.resolve()), len(workflow.steps), sources
    )
    reset = [ev.StepsReset(tuple(stale), f"--workflow {path}")] if stale else []
    return workflow, [changed, *reset]


def _set_inputs(
    state: TaskState, workflow: Workflow, texts: Mapping[str, str], values: ValueStore
) -> list[ev.Event]:
    """Change inputs; exactly the steps that use them, and what is downstream, run again."""
    before = values.get(state.inputs) if state.inputs is not None else {}
    try:
        inputs = checked_inputs(workflow.inputs, {**before, **typed(workflow.inputs, texts)})
    except InputProblem as problem:
        raise UsageError(f"--set: {problem}", _input_help(workflow)) from None
    changed = tuple(name for name in texts if inputs[name] != before.get(name))
    if not changed:
        return []
    stale = edit.users_of_inputs(workflow, changed)
    event = ev.InputsChanged(values.put(inputs), changed)
    return [event, *edit.reset(workflow, state, stale, f"--set {', '.join(changed)}")]


def _append(task: TaskStore, events: Sequence[ev.Event], clock: SteadyClock) -> None:
    """Record events outside of a run."""
    for event in events:
        recorded = ev.Recorded(task.state.seq + 1, clock.now(), event)
        apply(task.state, recorded)
        task.append([recorded])
    task.snapshot(task.state)


def _the_one_waiting(state: TaskState) -> str:
    waiting = [k for k, s in state.steps.items() if s.waiting in {"approval", "person"}]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise UsageError(
            f"no step of {state.task_id} waits for a person", "agentrun inspect shows it"
        )
    raise UsageError(f"several steps wait for a person: {', '.join(waiting)}", "name one of them")


def _first_option(state: TaskState, key: str) -> str:
    approval = state.step(key).approval
    return "retry" if approval is None else approval.options[0]


def _input_help(workflow: Workflow) -> str:
    told = [
        f"{name} ({spec.type}{'' if spec.required else f', default {spec.default!r}'})"
        for name, spec in workflow.inputs.items()
    ]
    return f"its inputs: {'; '.join(told)}" if told else "it has no inputs"


def _fork_point(view: TaskView, workflow: Workflow, at: str | None) -> int:
    """Return the seq of the last event that the fork shares."""
    last = view.records[-1].seq
    if at is None:
        return last
    if at.isascii() and at.isdigit():
        if not 1 <= int(at) <= last:
            raise UsageError(f"{view.task_id} has no event {at}", f"it has 1 to {last}")
        return int(at)
    edit.definition(workflow, view.state, at)
    for recorded in view.records:
        if getattr(recorded.event, "step", None) == at:
            return recorded.seq - 1
    return last

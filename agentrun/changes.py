"""What a person asks of a task, checked, as values and events.

Owns the inputs and secrets of a task, and the changes of a resume (`--from --set --workflow --retry
--skip --answer`). Which steps a change makes stale is runner/edit.py's.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from agentrun.core import events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState
from agentrun.errors import UsageError
from agentrun.requests import ResumeRequest, RunRequest
from agentrun.runner import edit
from agentrun.runner.inputs import InputProblem, checked_inputs, typed
from agentrun.store.values import ValueStore
from agentrun.workflow.cache import load_cached
from agentrun.workflow.source_file import read_bytes

Bind = Callable[[bytes, Mapping[str, str]], tuple[str, dict[str, str]]]
"""Keeps a definition's text and its sub-workflows' and returns their hashes."""


def planned(
    state: TaskState,
    pinned: Workflow,
    request: ResumeRequest,
    bind: Bind,
    values: ValueStore,
) -> tuple[Workflow, list[ev.Event]]:
    """Return the definition to go on with, and the events that a person's changes amount to.

    `state` is only read: the caller applies the events.
    """
    events: list[ev.Event] = [
        ev.StepInterrupted(key, step.attempts, "agentrun ended while it ran")
        for key, step in state.steps.items()
        if step.status == "running" and step.items is None and step.scope is None
    ]
    workflow = pinned
    if request.workflow is not None:
        workflow, rebinding = _rebind(state, pinned, request.workflow, bind, values)
        events += rebinding
    if request.set_inputs or request.workflow is not None:
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
    if request.fix is not None:
        from agentrun.diagnose import events_of_fix

        events += events_of_fix(state, workflow, values, *request.fix)
    if state.status in {"failed", "paused", "cancelled"}:
        touched = {*request.skip, *request.answers, *([request.fix[0]] if request.fix else [])}
        events = [*edit.granted(state, touched), *events]
    return workflow, events


def _rebind(
    state: TaskState, pinned: Workflow, path: Path, bind: Bind, values: ValueStore
) -> tuple[Workflow, list[ev.Event]]:
    """Bind the task to another definition: what is the same is kept, the rest is forgotten."""
    text = read_bytes(path)
    workflow = load_cached(path, text)
    rebinding = edit.rebound(pinned, workflow, state)
    digest, sources = bind(text, workflow.sources)
    changed = ev.WorkflowChanged(
        workflow.name, digest, str(path.resolve()), len(workflow.steps), sources
    )
    events: list[ev.Event] = [changed, *_kept_inputs(state, workflow, values)]
    if rebinding.stale or rebinding.reopened:
        reason = f"--workflow {path}"
        events.append(ev.StepsReset(rebinding.stale, reason, rebinding.reopened))
    return workflow, events


def _kept_inputs(state: TaskState, workflow: Workflow, values: ValueStore) -> list[ev.Event]:
    """Fit the inputs to another definition: what it no longer has goes, defaults of new ones come.

    A new one without a default is asked for, unless `--set` gives it.
    """
    before = values.get(state.inputs) if state.inputs is not None else {}
    kept = {name: value for name, value in before.items() if name in workflow.inputs}
    defaults = {n: each.default for n, each in workflow.inputs.items() if not each.required}
    fitted = {**defaults, **kept}
    if fitted == before:
        return []
    return [ev.InputsChanged(values.put(fitted), tuple(sorted(fitted.keys() ^ before.keys())))]


def _set_inputs(
    state: TaskState, workflow: Workflow, texts: Mapping[str, str], values: ValueStore
) -> list[ev.Event]:
    """Change inputs; exactly the steps that use them, and what is downstream, run again."""
    before = values.get(state.inputs) if state.inputs is not None else {}
    kept = {name: value for name, value in before.items() if name in workflow.inputs}
    try:
        inputs = checked_inputs(workflow.inputs, {**kept, **typed(workflow.inputs, texts)})
    except InputProblem as problem:
        said = "--set" if texts else "inputs of the new definition (give them with --set)"
        raise UsageError(f"{said}: {problem}", _input_help(workflow)) from None
    changed = tuple(name for name in texts if inputs[name] != before.get(name))
    if not changed:
        return []
    stale = edit.users_of_inputs(workflow, changed)
    event = ev.InputsChanged(values.put(inputs), changed)
    return [event, *edit.reset(workflow, state, stale, f"--set {', '.join(changed)}")]


def resolved_inputs(workflow: Workflow, request: RunRequest) -> dict[str, Json]:
    """Return the inputs of a new task; `-i` wins over `--input-file`."""
    try:
        given = {**request.inputs, **typed(workflow.inputs, request.texts)}
        return checked_inputs(workflow.inputs, given)
    except InputProblem as problem:
        raise UsageError(f"inputs of {workflow.name}: {problem}", _input_help(workflow)) from None


def secret_values(workflow: Workflow, *, optional: bool = False) -> dict[str, str]:
    """Return the declared secrets from the environment. Raises UsageError for missing ones, unless
    they are optional: a stubbed step needs none.
    """
    names = _secret_names(workflow)
    missing = sorted(name for name in names if not os.environ.get(name))
    if missing and not optional:
        raise UsageError(
            f"the workflow {workflow.name} needs secrets that are not set: {', '.join(missing)}",
            f"export {missing[0]}=... and run it again",
        )
    return {name: os.environ[name] for name in sorted(names.difference(missing))}


def _secret_names(workflow: Workflow) -> set[str]:
    """Return the secrets that a workflow and those below it declare."""
    below = (_secret_names(sub) for sub in workflow.subworkflows.values())
    return set(workflow.secrets).union(*below)


def _input_help(workflow: Workflow) -> str:
    told = [
        f"{name} ({spec.type}{'' if spec.required else f', default {spec.default!r}'})"
        for name, spec in workflow.inputs.items()
    ]
    return f"its inputs: {'; '.join(told)}" if told else "it has no inputs"

"""Diagnosing a task outside its run: what `agentrun debug` proposes and applies.

The same analysts as in the loop (recovery/debugger/), on demand: memory and rules say what they
know about each failed step, and a person chooses.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from agentrun.core import address, events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState
from agentrun.errors import UsageError
from agentrun.pinned import pinned_workflow
from agentrun.recovery import history
from agentrun.recovery.debugger.analysts import without_agent
from agentrun.recovery.debugger.case import Case, Proposal
from agentrun.recovery.debugger.choice import proposals
from agentrun.recovery.debugger.fixes import (
    Fix,
    adjustments_of,
    diff_of,
    kind_of,
    problem_of,
    risk_of,
)
from agentrun.recovery.debugger.incident import Incident, gather, nearest
from agentrun.recovery.debugger.memory import FixMemory, Known
from agentrun.recovery.debugger.nearby import files_below
from agentrun.runner import edit
from agentrun.runner.names import GetValue, Outputs
from agentrun.store.manager import CheckpointManager
from agentrun.store.values import ValueStore
from agentrun.store.view import TaskView
from agentrun.workflow.expressions import text_of


def cases(
    manager: CheckpointManager, view: TaskView, state: TaskState, keys: Sequence[str], now: float
) -> list[Case]:
    """Return what memory and rules say of these failed steps; secrets stand as placeholders."""
    workflow, knowledge = pinned_workflow(view), FixMemory(manager.shared)
    known_runs = history.read(manager.shared)
    found: list[Case] = []
    number = 0
    for key in keys:
        inside = edit.workflow_at(workflow, state, address.parent_scope(key))
        if inside is None or state.step(key).failure is None:
            continue
        step = next(each for each in inside.steps if each.id == address.step_id(key))
        runs = known_runs.get(step.content_hash[: history.HASH_CHARS])
        incident = incident_at(
            state, view.values.masked, inside, key, 0 if runs is None else runs.ok
        )
        diagnoses = tuple(without_agent(incident, knowledge, now))
        known = {each.fix.id: each for each in knowledge.recall(incident.fingerprint, now)}
        offered = [*proposals(incident, diagnoses), *_journalled(state, key, incident)]
        shown = []
        for fix in {each.id: each for each in offered}.values():
            number += 1
            shown.append(_proposal(number, fix, incident, known.get(fix.id)))
        found.append(Case(key, incident.fingerprint, diagnoses, tuple(shown)))
    return found


def chosen(found: Sequence[Case], wanted: str) -> tuple[str, Fix]:
    """Return the step and the fix that `--apply N` or `--apply best` means."""
    offered = [(case.step, each) for case in found for each in case.proposals]
    if not offered:
        raise UsageError("there is no fix to apply", "agentrun debug tells what is known")
    if wanted == "best":
        return offered[0][0], offered[0][1].fix
    for step, each in offered:
        if wanted == str(each.number):
            return step, each.fix
    raise UsageError(
        f"there is no fix {wanted!r}", f"give a number from 1 to {len(offered)}, or best"
    )


def events_of_fix(
    state: TaskState, workflow: Workflow, values: ValueStore, key: str, raw: Mapping[str, Json]
) -> list[ev.Event]:
    """Return the events that apply a fix a person chose; the next attempt verifies it."""
    inside = edit.workflow_at(workflow, state, address.parent_scope(key))
    edit.definition(workflow, state, key)
    if inside is None or state.step(key).failure is None:
        raise UsageError(f"{key} has no failure to fix", f"agentrun debug {state.task_id}")
    incident = incident_at(state, values.get, inside, key)
    fix = Fix.from_json(raw)
    if problem := problem_of(fix, incident):
        raise UsageError(f"{fix.type} can't be applied: {problem}")
    kind = kind_of(fix.type)
    assert kind is not None
    holders = [k for k in address.ancestors(key) if state.step(k).gave_up]
    granted = ev.AttemptsGranted((key, *holders))
    recorded = ev.FixApplied(
        key,
        incident.fingerprint,
        fix.as_json(),
        "person",
        "chosen by a person",
        1.0,
        adjustments_of(fix, incident),
    )
    match kind.course:
        case "skip":
            return [granted, recorded, ev.StepSkipped(key, "fix chosen by a person")]
        case "fallback":
            alternative = state.step(key).alternative + 1
            return [granted, recorded, ev.FallbackTaken(key, alternative, "chosen by a person")]
        case "rerun":
            upstream = address.inside(address.parent_scope(key), str(fix.params["step"]))
            return [recorded, *edit.reset(workflow, state, [upstream], "fix chosen by a person")]
        case _:
            return [granted, recorded]


def incident_at(
    state: TaskState, get: GetValue, workflow: Workflow, key: str, succeeded_before: int = 0
) -> Incident:
    """Gather the incident of a failed step from what is on disk."""
    outputs = Outputs(state, get)
    scope = address.parent_scope(key)
    step = next(each for each in workflow.steps if each.id == address.step_id(key))
    done = {each: address.inside(scope, each) for each in nearest(workflow, step)}
    inputs = {} if state.inputs is None else outputs.get(state.inputs)
    return gather(
        key,
        workflow,
        state,
        previews={
            each: text_of(outputs.of_step(inner, state.step(inner)))
            for each, inner in done.items()
            if state.step(inner).status == "succeeded"
        },
        inputs=inputs if isinstance(inputs, dict) else {},
        near_files=tuple(files_below(Path(state.cwd))),
        succeeded_before=succeeded_before,
    )


def as_json(found: Sequence[Case]) -> list[Json]:
    """Return the cases for `debug --json`."""
    return [msgspec.to_builtins(case) for case in found]


def _journalled(state: TaskState, key: str, incident: Incident) -> list[Fix]:
    """Return the fixes that the Debugger proposed when it escalated (its agent's among them)."""
    diagnosis = state.step(key).diagnosis
    if diagnosis is None:
        return []
    fixes = map(Fix.from_json, diagnosis.proposals)
    return [fix for fix in fixes if problem_of(fix, incident) is None]


def _proposal(number: int, fix: Fix, incident: Incident, known: Known | None) -> Proposal:
    record = "" if known is None else known.record
    return Proposal(number, fix, diff_of(fix, incident), risk_of(fix, incident), record)

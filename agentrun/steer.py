"""Steering: what a person does to a task that is not being run by this command.

Owns `approve`, `cancel` and `fork`. A task that a live process holds is spoken to through its
mailbox; any other is taken up, changed and let go.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentrun.app import (
    end_leftovers_of,
    new_id,
    secret_values,
)
from agentrun.changes import pinned_workflow, planned
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState, apply
from agentrun.errors import UsageError
from agentrun.requests import ResumeRequest
from agentrun.runner import edit
from agentrun.runner.mailbox import Letter, Mailbox
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
from agentrun.store.view import TaskView


def answer_task(root: Path, task: str, step: str | None, answer: str | None) -> tuple[str, bool]:
    """Answer a step that waits for a person. Returns the step, and whether a live process has
    the task (which then goes on by itself); otherwise a resume goes on.
    """
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
        asyncio.run(end_leftovers_of(opened.state))
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
    pinned = pinned_workflow(view)
    secrets = secret_values(pinned)
    seq = _fork_point(view, pinned, at)
    clock = SteadyClock(not_before=view.records[seq - 1].time)
    forked_id = new_id(manager, pinned, clock)
    with copy_until(manager, view.task_id, seq, forked_id, secrets) as forked:
        request = ResumeRequest(
            forked_id, root, set_inputs=dict(set_inputs or {}), workflow=workflow
        )
        _, events = planned(forked.state, pinned, request, forked.bind, forked.values)
        pause = ev.TaskPaused("interrupted", 3, f"forked from {view.task_id} at event {seq}")
        _append(forked, [*events, pause], clock)
        if workflow is not None:
            forked.write_workflow()
    return forked_id


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

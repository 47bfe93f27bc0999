"""Steering: what a person does to a task that this command does not run itself.

Owns `approve`, `cancel` and `fork`. A task that a live process holds gets a message through its
mailbox; any other one is opened, changed and closed.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agentrun.app import new_id
from agentrun.changes import planned, secret_values
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState, apply
from agentrun.errors import UsageError
from agentrun.leftovers import end_leftovers_of
from agentrun.pinned import pinned_workflow
from agentrun.requests import ResumeRequest
from agentrun.runner import edit
from agentrun.runner.mailbox import Letter, Mailbox
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
from agentrun.store.view import TaskView

PATIENCE_S = 15.0
"""How long to wait for a live process to take its message."""
LOOK_EVERY_S = 0.05


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
    asked = view.state.step(key).approval
    digest = "" if asked is None else asked.digest
    if view.running:
        letter = Mailbox(view.folder).post(Letter(key, chosen, by, digest))
        if _until(lambda: not letter.exists() or not _running(manager, task_id)):
            return key, True  # it is busy; the letter is read when it looks
        if not letter.exists():
            return key, True
        letter.unlink(missing_ok=True)
    with manager.open(task_id, {}) as opened:
        clock = SteadyClock(not_before=opened.state.updated_at)
        _append(opened, edit.answered(opened.state, key, chosen, by, digest), clock.now)
    return key, False


def _is_here(holder: ev.Holder) -> bool:
    """Return whether the holder is a process of this machine: only then is its pid one of ours."""
    return holder.host == os.uname().nodename


def _await_elsewhere(manager: CheckpointManager, task_id: str, host: str) -> None:
    """Wait for the process of another machine to read its mail."""
    if _until(lambda: manager.read(task_id).state.status == "cancelled"):
        raise UsageError(
            f"{task_id} is run on {host}, which has not answered in {PATIENCE_S:g} s",
            "it is told when it looks; or cancel it there",
        )


def _until(over: Callable[[], bool]) -> bool:
    """Wait until something is over; return True if it took too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not over():
        if time.monotonic() > deadline:
            return True
        time.sleep(LOOK_EVERY_S)
    return False


def _running(manager: CheckpointManager, task_id: str) -> bool:
    return manager.read(task_id).running


def cancel_task(root: Path, task: str, reason: str = "") -> str:
    """Cancel a task, also one that another process runs. Returns its id once it is cancelled, or
    once the process that runs it takes long to end its steps.
    """
    manager = CheckpointManager(root)
    task_id = manager.resolve(task)
    view = manager.read(task_id)
    if view.state.status in {"succeeded", "cancelled"}:
        raise UsageError(f"{task_id} has {view.state.status}: there is nothing to cancel")
    if view.running:
        assert view.held is not None
        Mailbox(view.folder).post_cancellation(reason or "cancelled by a person")
        if not _is_here(view.held.holder):
            _await_elsewhere(manager, task_id, view.held.holder.host)
            return task_id
        with contextlib.suppress(ProcessLookupError):
            os.kill(view.held.holder.pid, signal.SIGTERM)
        too_long = _until(lambda: not _running(manager, task_id))
        if too_long or manager.read(task_id).state.status in {"succeeded", "cancelled"}:
            return task_id
        Mailbox(view.folder).cancellation()  # it ended without having read it
    with manager.open(task_id, {}) as opened:
        clock = SteadyClock(not_before=opened.state.updated_at)
        asyncio.run(end_leftovers_of(opened))
        _append(opened, [ev.TaskCancelled(reason or "cancelled by a person")], clock.now)
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
        pinned = pinned_workflow(manager.read(forked_id))  # it may have been edited after `seq`
        request = ResumeRequest(
            forked_id, root, set_inputs=dict(set_inputs or {}), workflow=workflow
        )
        _, events = planned(forked.state, pinned, request, forked.bind, forked.values)
        pause = ev.TaskPaused("interrupted", 3, f"forked from {view.task_id} at event {seq}")
        then = view.records[seq - 1].time  # from there to now nobody worked on it
        _append(forked, [pause], lambda: then)
        _append(forked, [*events, pause], clock.now)
        if workflow is not None:
            forked.write_workflow()
    return forked_id


def _append(task: TaskStore, events: Sequence[ev.Event], now: Callable[[], float]) -> None:
    """Record events outside of a run."""
    for event in events:
        recorded = ev.Recorded(task.state.seq + 1, now(), event)
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

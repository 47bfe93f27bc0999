"""Runs the loop for one open task in this process, with the real collaborators.

Owns their composition and the signals. Everything here is chosen once; nothing decides about steps.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from agentrun import lean
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Workflow
from agentrun.core.outcome import Note
from agentrun.failures.project import project_rules
from agentrun.recovery import history
from agentrun.report.reporter import Reporter
from agentrun.runner.attempt import Attempts
from agentrun.runner.conduct import Rules
from agentrun.runner.desk import Collaborators
from agentrun.runner.judge import Judge
from agentrun.runner.loop import Loop
from agentrun.runner.mailbox import Mailbox
from agentrun.runner.order import Performer
from agentrun.steps.redact import Redactor
from agentrun.stop_signals import StopSignals
from agentrun.store.manager import CheckpointManager
from agentrun.store.shared import SHARED
from agentrun.store.task import TaskStore

if TYPE_CHECKING:
    from agentrun.recovery.debugger.memory import FixMemory
    from agentrun.recovery.gate import Gate
    from agentrun.runner.stub import Stubs


class Run(Struct, frozen=True):
    """An open task, and everything that it is run with."""

    task: TaskStore
    workflow: Workflow
    secrets: Mapping[str, str]
    manager: CheckpointManager
    reporters: Sequence[Reporter]
    clock: SteadyClock
    stubs: "Stubs | None" = None


def perform(run: Run, first: Sequence[ev.Event]) -> None:
    """Run the task until it ends, pauses or is stopped. `first` is recorded before all else."""
    lean.loaded()
    with StopSignals() as signals:
        asyncio.run(_perform(run, first, signals))


async def _perform(run: Run, first: Sequence[ev.Event], signals: StopSignals) -> None:
    task, workflow, reporters = run.task, run.workflow, run.reporters
    loop = Loop(
        state=task.state,
        workflow=workflow,
        first=first,
        store=task,
        put=task.values.put,
        clock=run.clock,
        reporters=reporters,
        scrub=task.values.secrets.scrub_event,
    )
    rules = Rules(loop, workflow, _collaborators(run, loop))
    mailbox = Mailbox(task.folder)
    mailbox.cancellation()  # what was meant for a process that is gone
    mailbox.look(loop)
    for reporter in reporters:
        reporter.begin(workflow, task.state)
    signals.tell(lambda name: _stop(loop, mailbox, name))
    watching = asyncio.ensure_future(mailbox.watch(loop))
    try:
        await loop.run(rules)
    finally:
        signals.leave_loop()
        watching.cancel()
        for reporter in reporters:
            reporter.end(task.state)


def _collaborators(run: Run, loop: Loop) -> Collaborators:
    """Return what the rules need from outside, the real one of each."""
    task, manager, clock, stubs = run.task, run.manager, run.clock, run.stubs
    environ, base_dir = dict(os.environ), Path(task.state.workflow_path).parent
    redactor = Redactor(run.secrets)
    judge = Judge(redactor, project_rules(base_dir), clock.now)

    def attempts(note: Callable[[str, int, Note], Awaitable[None]]) -> Attempts:
        return Attempts(
            task_id=task.task_id,
            cwd=Path(task.state.cwd),
            base_dir=base_dir,
            places=task,
            judge=judge,
            environ=environ,
            monotonic=clock.monotonic,
            note=note,
            watch=lambda step, attempt, data: _tell(run.reporters, step, attempt, data),
        )

    performer: Performer = attempts(loop.note)
    if stubs is not None:
        from agentrun.runner.stub import Stubbed

        performer = Stubbed(performer, stubs, judge)
    return Collaborators(
        attempts=performer,
        analyst=attempts(_no_note),
        gate=lean.on_demand(lambda: _gate(manager, run.workflow)),
        knowledge=lean.on_demand(lambda: _knowledge(manager, learns=not stubs)),
        successes=lambda content_hash: history.successes(manager.shared, content_hash),
        clock=clock,
        draw=_draw,
        slowest=history.slowest_of(manager.shared),
        redact=redactor.value,
        put=task.values.put,
        get=task.values.get,
        environ=environ,
        stubs=stubs,
    )


def _gate(manager: CheckpointManager, workflow: Workflow) -> "Gate":
    from agentrun.recovery.gate import Gate

    return Gate(Path(manager.root) / SHARED, workflow.limits, workflow.breakers)


def _knowledge(manager: CheckpointManager, *, learns: bool) -> "FixMemory":
    from agentrun.recovery.debugger.memory import FixMemory

    return FixMemory(manager.shared, learns=learns)


def _draw() -> float:
    """Draw for the jitter of a wait."""
    import random  # 3 ms with its hashes

    return random.random()  # noqa: S311 - nobody gains by guessing it


async def _no_note(_key: str, _attempt: int, _note: Note) -> None:
    """Take no note: the Debugger's agent starts anew after a crash."""


def _tell(reporters: Sequence[Reporter], step: str, attempt: int, data: bytes) -> None:
    for reporter in reporters:
        reporter.output(step, attempt, data)


def _stop(loop: Loop, mailbox: Mailbox, name: str) -> None:
    """Stop in good order. SIGTERM from `agentrun cancel` cancels the task."""
    cancelled = mailbox.cancellation()
    if cancelled is not None:
        loop.stop(ev.TaskCancelled(cancelled))
    else:
        loop.stop(ev.TaskInterrupted(name))

"""Runs the loop for one open task in this process, with the real collaborators.

Owns their composition and the signals. Everything here is chosen once; nothing decides about steps.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentrun import lean
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.model import Workflow
from agentrun.core.outcome import Note
from agentrun.errors import AgentrunError
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


def perform(
    task: TaskStore,
    workflow: Workflow,
    *,
    first: Sequence[ev.Event],
    secrets: Mapping[str, str],
    manager: CheckpointManager,
    reporters: Sequence[Reporter],
    clock: SteadyClock,
    stubs: "Stubs | None" = None,
) -> None:
    """Run the task until it ends, pauses or is stopped. `first` is recorded before anything."""
    lean.loaded()
    with StopSignals() as signals:
        run = _perform(task, workflow, first, secrets, manager, reporters, clock, stubs, signals)
        asyncio.run(run)


async def _perform(
    task: TaskStore,
    workflow: Workflow,
    first: Sequence[ev.Event],
    secrets: Mapping[str, str],
    manager: CheckpointManager,
    reporters: Sequence[Reporter],
    clock: SteadyClock,
    stubs: "Stubs | None",
    signals: StopSignals,
) -> None:
    state = task.state
    loop = Loop(
        state=state,
        workflow=workflow,
        first=first,
        store=task,
        put=task.values.put,
        clock=clock,
        reporters=reporters,
        scrub=task.values.secrets.scrub_event,
    )
    environ = dict(os.environ)
    redactor, own_rules = Redactor(secrets), project_rules(Path(state.workflow_path).parent)

    def attempts(note: Callable[[str, int, Note], Awaitable[None]]) -> Attempts:
        return Attempts(
            task_id=task.task_id,
            cwd=Path(state.cwd),
            base_dir=Path(state.workflow_path).parent,
            places=task,
            judge=Judge(redactor, own_rules, clock.now),
            environ=environ,
            monotonic=clock.monotonic,
            note=note,
            watch=lambda step, attempt, data: _tell(reporters, step, attempt, data),
        )

    performer: Performer = attempts(loop.note)
    if stubs is not None:
        from agentrun.runner.stub import Stubbed

        performer = Stubbed(performer, stubs, Judge(redactor, own_rules, clock.now))
    with_ = Collaborators(
        attempts=performer,
        analyst=attempts(_no_note),
        gate=lean.on_demand(lambda: _gate(manager, workflow)),
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
    rules = Rules(loop, workflow, with_)
    mailbox = Mailbox(task.folder)
    mailbox.cancellation()  # what was meant for a process that is gone
    mailbox.look(loop)
    for reporter in reporters:
        reporter.begin(workflow, state)
    signals.tell(lambda name: _stop(loop, mailbox, name))
    watching = asyncio.ensure_future(mailbox.watch(loop))
    try:
        await loop.run(rules)
    finally:
        signals.leave_loop()
        watching.cancel()
        for reporter in reporters:
            reporter.end(state)


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


def refuse_survivors(step: str, survivors: Sequence[int]) -> None:
    """Raise when processes of a dead run could not be ended: the step must not run beside them."""
    if survivors:
        pids = ", ".join(map(str, survivors))
        raise AgentrunError(
            f"{step}: processes of the run that died are still alive and can't be ended: {pids}",
            "end them by hand, then resume",
        )

"""The rules of the runner: how an action becomes events. One file per part of a step's life.

Everything that needs an expression, a random draw, a price or a policy is evaluated by these rules,
once, and recorded as data. They refuse to do anything before the loop has made it durable: they
record, and ask for launches.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agentrun.core import address
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import StepState
from agentrun.lean import on_demand
from agentrun.runner.attempt import is_isolated
from agentrun.runner.begin import Beginning
from agentrun.runner.conclude import Concluding
from agentrun.runner.desk import Collaborators, Desk
from agentrun.runner.finish import Finishing
from agentrun.runner.loop import Loop
from agentrun.runner.names import Names, attempt_names, idempotency_key_of
from agentrun.runner.order import NOTHING, Memory, Order
from agentrun.runner.recover import Recovering
from agentrun.runner.result import Failed, Result
from agentrun.steps import registry
from agentrun.workflow.expressions import render, text_of

if TYPE_CHECKING:
    from agentrun.runner.debug import Debugging
    from agentrun.runner.watchful import Watchful


class Rules:
    """Implements the loop's `Conduct` for one task."""

    def __init__(self, loop: Loop, workflow: Workflow, with_: Collaborators) -> None:
        self._desk = desk = Desk(loop, workflow, with_)
        self._base_dir = Path(loop.state.workflow_path).parent
        self._moved = loop.state.cwd != _folder_of_this_process()
        self._beginning = Beginning(desk)
        debugging = on_demand(lambda: _debugging(desk, self._beginning))
        self._watchful = on_demand(lambda: _watchful(desk))
        self._finishing = Finishing(desk, debugging)
        self._recovering = Recovering(desk, debugging)
        self._concluding = Concluding(desk, self._beginning, self._finishing)
        self.begin, self.attempt = self._beginning.begin, self._beginning.attempt
        self.recover = self._recovering.recover
        self.close, self.expire = self._concluding.close, self._concluding.expire
        self.conclude, self.end = self._concluding.conclude, self._concluding.end

    def order(self, key: str) -> Order:
        """Return the attempt that the state says is running, as it is to be performed."""
        desk = self._desk
        step, state = desk.look_up(key)
        state = msgspec.structs.replace(state)  # as it is now, whatever happens meanwhile
        workflow = desk.schedule.workflow_of(key)
        idempotency_key = idempotency_key_of(desk.state, key)
        holders = self._holders(key)
        alone = len(desk.schedule.running) == 1
        elsewhere = self._moved or bool(holders or workflow.env)
        return Order(
            key=key,
            number=state.attempts,
            step=step,
            state=state,
            workflow=workflow,
            names=Names(
                lambda: {
                    **desk.names(key, workflow),
                    **attempt_names(key, state, state.attempts, idempotency_key),
                }
            ),
            idempotency_key=idempotency_key,
            memory=self._memory(key, step, state),
            around=lambda: self._around(holders),
            outputs=self._outputs(key, state),
            alone=alone,
            quick=alone and not elsewhere and self._is_quick(step, state),
            elsewhere=elsewhere,
        )

    def _is_quick(self, step: Step, state: StepState) -> bool:
        """Return whether the attempt would be over in no time, if it were alone and here."""
        if step.checks or state.adjustments or state.alternative or is_isolated(step):
            return False
        if self._desk.with_.stubs is not None:
            return False
        return registry.get(step.kind).is_quick(step.spec, self._base_dir)

    async def perform(self, order: Order) -> Result:
        """Perform an attempt; one that takes its time is watched."""
        slowest = None if order.quick else self._desk.with_.slowest(order.step.content_hash)
        if slowest is None:
            return await self._desk.with_.attempts.perform(order)
        self._watchful.begin(order.key, slowest)
        try:
            return await self._desk.with_.attempts.perform(order)
        finally:
            self._watchful.end(order.key)

    def finished(self, key: str, attempt: int, result: Result) -> None:
        """Record how an attempt ended; its place at the gate is free again."""
        failure = result.failure if isinstance(result, Failed) else None
        if admitted := self._beginning.admitted.pop(key, None):
            admitted.release(failure, self._desk.with_.clock.now())
        self._finishing.finished(key, attempt, result)
        used = self._desk.state.step(key).usage
        if used is not None or self._desk.workflow.budget.time_s is not None:
            self._watchful.used(key)

    def _outputs(self, key: str, state: StepState) -> Json:
        """Return what a sub-workflow has brought, to be judged."""
        if state.scope is None:
            return None
        sub = self._desk.schedule.workflow_of(key).subworkflows[state.scope.path]
        return self._desk.result_of(sub, address.inside(key, "_"))

    def _memory(self, key: str, step: Step, state: StepState) -> Memory:
        """Return what an agent goes on with. Most steps are none: they need not know the rules."""
        is_agent = step.kind == "agent" or step.fallback
        if not (is_agent or state.session is not None or state.messages):
            return NOTHING
        from agentrun.runner.conversations import memory

        return memory(self._desk, key, step, state)

    def _holders(self, key: str) -> list[str]:
        """Return the sub-workflows around a step that give it variables or a folder."""
        if "/" not in key:
            return []
        found = []
        for holder in address.ancestors(key):
            step, state = self._desk.look_up(holder)
            if state.scope is not None and (step.env or step.cwd):
                found.append(holder)
        return found[::-1]

    def _around(self, holders: Sequence[str]) -> tuple[dict[str, str], str]:
        env: dict[str, str] = {}
        cwd = ""
        for holder in holders:
            step = self._desk.schedule.step(holder)
            names = self._desk.names(holder)
            env |= {name: text_of(render(value, names)) for name, value in step.env.items()}
            cwd = os.path.join(cwd, text_of(render(step.cwd, names)) if step.cwd else "")
        return env, cwd


def _debugging(desk: Desk, beginning: Beginning) -> "Debugging":
    """Import the Debugger with the first incident: 8 ms that most tasks never need."""
    from agentrun.runner.debug import Debugging

    return Debugging(desk, desk.with_.knowledge, beginning)


def _watchful(desk: Desk) -> "Watchful":
    from agentrun.runner.watchful import Watchful

    return Watchful(desk)


def _folder_of_this_process() -> str | None:
    """Return the folder this process works in; None when it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None

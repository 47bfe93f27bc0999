"""One process that runs or resumes the task: the real rules, loop and store, on a fake machine.

What `agentrun run` and `agentrun resume` do around the loop (agentrun/app.py) is done here in the
same order, with scripted attempts, virtual time and a disk in memory.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import cast

from agentrun.changes import planned
from agentrun.clock import SteadyClock
from agentrun.core import events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json
from agentrun.core.outcome import Note, ProcessStarted, SessionKnown, TurnDone, Usage
from agentrun.core.state import TaskState
from agentrun.core.value import Value
from agentrun.errors import Locked
from agentrun.recovery.debugger.memory import FixMemory
from agentrun.recovery.gate import Cause, Gate, NotYet
from agentrun.requests import ResumeRequest
from agentrun.runner.conduct import Rules
from agentrun.runner.desk import Collaborators
from agentrun.runner.edit import answered
from agentrun.runner.loop import Loop
from agentrun.runner.names import Outputs
from agentrun.runner.order import Order
from agentrun.runner.result import Done, Failed, Result
from agentrun.store.disk import Disk
from agentrun.store.journal import JOURNAL
from agentrun.store.manager import CheckpointManager
from agentrun.store.record import decode
from agentrun.store.task import TaskStore
from tests.simulation.oracle import Oracle, require
from tests.simulation.plan import INPUTS, PAD, TICK_S, Plan
from tests.simulation.virtual_time import VirtualLoop
from tests.store.faulty_disk import FaultySystem, PowerCut

ROOT = "/home/checkpoints"
TASK = "simulated-20261123-173122-abcd"
EPOCH_S = 1_000_000_000.0
MOST_LOOKS = 10_000
"""A process that looks at the clock this often does not come to an end."""


@dataclass
class World:
    """What outlives a process: the machine, the time, the plan, and what was told."""

    plan: Plan
    oracle: Oracle
    system: FaultySystem
    now_s: float = 0.0
    wall_shift_s: float = 0.0
    processes: int = 0
    outputs: Json = None
    transcript: list[str] | None = None
    _decoded: dict[bytes, ev.Recorded] = field(default_factory=dict)

    def decoded(self, line: bytes) -> ev.Recorded:
        """Return the record of a line of the journal."""
        found = self._decoded.get(line)
        if found is None:
            found = self._decoded[line] = decode(line)
        return found

    def say(self, *words: object) -> None:
        """Note something for the transcript, when there is one."""
        if self.transcript is not None:
            text = " ".join(str(word) for word in words)
            self.transcript.append(f"{self.now_s:12.6f}  {text}")


@dataclass
class Trouble:
    """What happens to one process: at most one end, and some nuisances."""

    cut_at_call: int | None = None
    kill_after_s: float | None = None
    stop_after_s: float | None = None
    stop: ev.TaskInterrupted | ev.TaskCancelled = field(
        default_factory=lambda: ev.TaskInterrupted("SIGINT")
    )
    intruder_after_s: float | None = None
    thief_after_s: float | None = None
    answers_after_s: float | None = None
    busy_share: float = 0.0
    max_parallel: int = 64


class Process:
    """One process. `run` returns its exit code; it raises PowerCut when it died."""

    def __init__(self, world: World, trouble: Trouble, random: Random) -> None:
        world.processes += 1
        self._world, self._trouble, self._random = world, trouble, random
        self._number = world.processes
        self._oracle = world.oracle
        self._manager = CheckpointManager(ROOT, Disk(world.system))
        self._asyncio = VirtualLoop(world.now_s)
        self._oracle.never_busy = not trouble.busy_share and trouble.max_parallel >= 64
        if trouble.cut_at_call is not None:
            world.system.crash_at = world.system.calls + trouble.cut_at_call

    # --- what the commands do -----------------------------------------------------------------------

    def run(self) -> int:
        """Start the task, or go on with it as a person who answers what it waits for."""
        try:
            if TASK in self._manager.ids():
                return self._resume()
            return self._start()
        finally:
            self._world.now_s = self._asyncio.time()

    def _start(self) -> int:
        self._oracle.nothing_is_left()
        plan = self._world.plan
        values = self._manager.new_values(TASK, {})
        started = ev.TaskStarted(
            workflow=plan.workflow.name,
            workflow_sha256=plan.sha256,
            workflow_path="/w/workflow.yaml",
            cwd="/w",
            inputs=values.put(INPUTS),
            holder=ev.Holder(1, 1, 1, "host", "boot"),
            max_parallel=self._trouble.max_parallel,
            version="0",
            steps_total=len(plan.workflow.steps),
        )
        clock = self._clock(0.0)
        first = [ev.Recorded(1, clock.now(), started)]
        self._oracle.tries(first)
        with self._manager.create(TASK, plan.text, {}, first, {}, values=values) as task:
            self._oracle.acknowledge(first)
            return self._perform(task, [], clock)

    def _resume(self) -> int:
        plan = self._world.plan
        before = self._manager.read(TASK)
        answers = answers_for(plan, before.state)
        request = ResumeRequest(TASK, Path(ROOT), answers=answers)
        if before.certain and before.state.status == "succeeded" and not request.changes:
            self._tell_result(before.state, before.values.get)
            return 0
        with self._manager.open(TASK, {}) as task:
            self._check_opened(task)
            if task.state.status == "succeeded" and not request.changes:
                self._tell_result(task.state, task.values.get)
                return 0
            clock = self._clock(task.state.updated_at)
            workflow, events = planned(task.state, plan.workflow, request, task.bind, task.values)
            assert workflow is plan.workflow
            holder = ev.Holder(self._number, 1, 1, "host", "boot")
            resumed = ev.TaskResumed(holder, self._trouble.max_parallel)
            return self._perform(task, [resumed, *events], clock)

    def _check_opened(self, task: TaskStore) -> None:
        lines = self._world.system.content(f"{ROOT}/{TASK}/{JOURNAL}").split(b"\n")
        records = [self._world.decoded(line) for line in lines[: task.seq]]
        self._oracle.found_on_disk(records)
        require(task.state.seq == len(records), "the state is not that of the journal")
        require(sha256(task.workflow_text).hexdigest() == self._world.plan.sha256, "the text")
        for repair in task.repairs:
            self._world.say("repaired:", repair)

    def _perform(self, task: TaskStore, first: Sequence[ev.Event], clock: SteadyClock) -> int:
        state = task.state
        self._asyncio.run_until_complete(self._run_loop(task, first, clock))
        require(not self._world.system.off, "the process went on without a machine")
        self._oracle.process_ended()
        task.snapshot(state)
        assert state.ending is not None
        if state.status == "succeeded":
            self._tell_result(state, task.values.get)
            task.clean_after_success()
        return state.ending.exit_code

    def _tell_result(self, state: TaskState, get: Callable[[Value], Json]) -> None:
        assert state.ending is not None
        assert state.ending.outputs is not None
        self._world.outputs = Outputs(state, get).get(state.ending.outputs)
        self._oracle.success_told()

    # --- the loop ---------------------------------------------------------------------------------

    async def _run_loop(
        self, task: TaskStore, first: Sequence[ev.Event], clock: SteadyClock
    ) -> None:
        watch = _Watch(self._world, task)
        loop = Loop(
            state=task.state,
            workflow=self._world.plan.workflow,
            first=first,
            store=watch,
            put=task.values.put,
            clock=clock,
            reporters=[watch],
            in_thread=False,
        )
        attempts = Attempts(self._world, self._number, self._asyncio.time, loop.note)
        with_ = Collaborators(
            attempts=attempts,
            analyst=attempts,
            knowledge=FixMemory(self._manager.shared),
            gate=cast("Gate", BusyGate(self._trouble.busy_share, self._random)),
            clock=clock,
            draw=lambda: self._random.randrange(4) / 4,
            put=task.values.put,
            get=task.values.get,
            environ={},
        )
        main = asyncio.current_task()
        assert main is not None
        self._make_trouble(loop, main)
        await loop.run(Rules(loop, self._world.plan.workflow, with_))

    def _make_trouble(self, loop: Loop, main: "asyncio.Task[None]") -> None:
        trouble = self._trouble

        def kill() -> None:
            self._world.say("process", self._number, "is killed")
            self._world.system.off = True
            main.cancel()

        def stop() -> None:
            self._world.say("process", self._number, "is asked to stop:", trouble.stop)
            loop.stop(trouble.stop)

        def answer() -> None:
            for key, value in self.answers_for(loop.state).items():
                for event in answered(loop.state, key, value, "somebody"):
                    loop.record(event)

        for delay_s, happening in (
            (trouble.kill_after_s, kill),
            (trouble.stop_after_s, stop),
            (trouble.intruder_after_s, self._intrude),
            (trouble.thief_after_s, self._steal),
            (trouble.answers_after_s, lambda: loop.deliver(answer)),
        ):
            if delay_s is not None:
                self._asyncio.call_later(delay_s, happening)

    def answers_for(self, state: TaskState) -> dict[str, str]:
        """Return what a person answers to what the task asks."""
        return answers_for(self._world.plan, state)

    def _intrude(self) -> None:
        """Another process resumes the task, as far as it gets."""
        if self._world.system.off:
            return
        try:
            CheckpointManager(ROOT, Disk(self._world.system)).open(TASK)
        except Locked as locked:
            require(TASK in locked.message, "who is refused is not told which task")
            return
        except PowerCut:
            return
        require(holds=False, promise="two processes hold the task")

    def _steal(self) -> None:
        """Somebody removes the lock file, and another process takes the task over."""
        system = self._world.system
        if system.off:
            return
        self._world.say("the lock file is removed, another process takes over")
        try:
            system.unlink(f"{ROOT}/{TASK}/lock")
            with CheckpointManager(ROOT, Disk(system)).open(TASK) as task:
                if task.state.status != "running":
                    return
                event = ev.TaskResumed(ev.Holder(99, 1, 1, "host", "boot"), 64)
                time = max(task.state.updated_at, self._clock(0.0).now())
                records = [ev.Recorded(task.state.seq + 1, time, event)]
                self._oracle.tries(records)
                task.append(records)
                self._oracle.acknowledge(records)
        except PowerCut:
            return

    def _clock(self, not_before: float) -> SteadyClock:
        looks = 0

        def wall() -> float:
            nonlocal looks
            looks += 1
            require(looks < MOST_LOOKS, "a process goes on for ever")
            return EPOCH_S + self._asyncio.time() + self._world.wall_shift_s

        return SteadyClock(not_before, wall=wall, monotonic=self._asyncio.time)


def answers_for(plan: Plan, state: TaskState) -> dict[str, str]:
    """Return what a person answers to everything that waits for one, approvals with a default
    excepted.
    """
    found: dict[str, str] = {}
    for key, step in state.steps.items():
        if step.waiting == "person":
            found[key] = "retry"
        elif step.waiting == "approval" and step.approval and step.approval.default is None:
            found[key] = ("yes", "no")[(plan.seed + len(key)) % 2]
    return found


class _Watch:
    """Stands between the loop and the store, and in front of the reporters."""

    def __init__(self, world: World, task: TaskStore) -> None:
        self._world, self._task = world, task

    def append(self, records: Sequence[ev.Recorded]) -> None:
        for record in records:
            self._world.say("  tries", record.seq, record.event)
        self._world.oracle.tries(records)
        self._task.append(records)

    def maybe_snapshot(self, state: TaskState) -> bool:
        return self._task.maybe_snapshot(state)

    def begin(self, workflow: object, state: TaskState) -> None:
        """Nothing to say."""

    def records(self, records: Sequence[ev.Recorded], state: TaskState) -> None:
        self._world.say("  acknowledged up to", records[-1].seq)
        require(not self._world.system.off, "a dead process told of an event")
        self._world.oracle.acknowledge(records)

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Nothing to say."""

    def warn(self, message: str) -> None:
        """Nothing to say."""

    def end(self, state: TaskState) -> None:
        """Nothing to say."""


class Attempts:
    """Performs attempts as the plan says."""

    def __init__(
        self,
        world: World,
        process: int,
        monotonic: Callable[[], float],
        note: Callable[[str, int, Note], "asyncio.Future[None]"] | Callable[..., object],
    ) -> None:
        self._world, self._process, self._note = world, process, note
        self._monotonic = monotonic

    async def perform(self, order: Order) -> Result:
        """Perform one attempt."""
        world, began = self._world, self._monotonic()
        world.now_s = began
        performed = world.oracle.begins(order, self._process, began)
        world.say("  performs", order.key, order.number)
        try:
            script = world.plan.script(order.key)
            for number in range(script.notes):
                note = (
                    ProcessStarted(1000, 7),
                    SessionKnown(order.key),
                    TurnDone([1], Usage(1, 1)),
                )
                await self._note(order.key, order.number, note[number])  # type: ignore[misc]
            await asyncio.sleep(script.takes_s)
            took = self._monotonic() - began
            if order.state.failures < len(script.failures):
                return Failed(script.failures[order.state.failures], took)
            return Done(_output(order, big=script.big), duration_s=took, usage=Usage(1, 1, 1, 0.25))
        finally:
            world.now_s = self._monotonic()
            performed.ended = True


def _output(order: Order, *, big: bool) -> Json:
    """Return an output that depends on everything that the step may depend on."""
    steps = order.names["steps"]
    seen = [order.key, order.state.round, order.names.get("item"), order.names["inputs"]]
    seen += [steps[need]["output"] for need in order.step.needs]
    value = int.from_bytes(sha256(repr(seen).encode()).digest()[:4], "big")
    found: dict[str, Json] = {"v": value, "round": order.state.round}
    return found | {"pad": PAD} if big else found


class _Admitted:
    def release(self, outcome: Failure | None, now: float) -> None:
        """Give the place back."""


class BusyGate:
    """A gate that says `not yet` now and then, but never that a component is broken for long: that
    leads round it, to another ending than in peace (tests/runner/test_way_round.py).
    """

    def __init__(self, busy_share: float, random: Random) -> None:
        self._busy_share, self._random = busy_share, random

    def admit(self, component: str, now: float) -> _Admitted | NotYet:
        """Ask for one attempt that calls the component."""
        if self._random.random() >= self._busy_share:
            return _Admitted()
        until = now + self._random.choice((16, 64, 640)) * TICK_S
        causes: tuple[Cause, ...] = ("limit", "breaker", "rate_limit")
        cause = self._random.choice(causes)
        park = self._random.random() < 0.1 and cause != "breaker"
        return NotYet(until, "busy", cause, park=park)

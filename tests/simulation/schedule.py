"""One schedule: a plan, run once in peace and once in trouble, until it is done.

`run_schedule(seed)` raises when a promise is broken. Several schedules in a row share a plan, so
that the undisturbed run is made once for all of them.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from random import Random

from agentrun.core import events as ev
from agentrun.core.model import Json
from agentrun.errors import Fenced, StoreError
from agentrun.store import host, journal, snapshots
from tests.simulation.oracle import Oracle, require
from tests.simulation.plan import TICK_S, Plan, make_plan
from tests.simulation.process import Process, Trouble, World
from tests.store.faulty_disk import LUCKS, Fault, FaultySystem, PowerCut

SCHEDULES_PER_PLAN = 16
MOST_PROCESSES = 80
THIS_PROCESS = host.this_process(0)
CODES = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES, errno.EDQUOT)


@dataclass
class Counts:
    """What a number of schedules amounted to."""

    schedules: int = 0
    processes: int = 0
    kills: int = 0
    power_cuts: int = 0
    faults: int = 0
    stops: int = 0
    attempts: int = 0
    events: int = 0

    def add(self, other: "Counts") -> None:
        """Add what others counted."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True)
class Peace:
    """The undisturbed run of a plan."""

    outputs: Json
    calls: int
    lasted_s: float
    grants: int


@contextmanager
def rare_things_happen_often() -> Iterator[None]:
    """Let small tasks do what only large ones do: snapshots on the way, syncs of the mirror. And
    look up only once who this process is.
    """
    before = snapshots.FIRST_AFTER, journal.MIRROR_SYNC_RECORDS, host.this_process
    snapshots.FIRST_AFTER, journal.MIRROR_SYNC_RECORDS = 9, 7
    host.this_process = lambda epoch: THIS_PROCESS
    try:
        yield
    finally:
        snapshots.FIRST_AFTER, journal.MIRROR_SYNC_RECORDS, host.this_process = before


def run_schedule(seed: int, counts: Counts, transcript: list[str] | None = None) -> Oracle:
    """Run one schedule; AssertionError tells which promise was broken."""
    if transcript is not None:
        transcript.append(f"plan: {make_plan(seed // SCHEDULES_PER_PLAN).workflow}")
    plan, peace = _in_peace(seed // SCHEDULES_PER_PLAN, transcript)
    return _Troubled(seed, plan, peace, counts, transcript).run()


def _in_peace(plan_seed: int, transcript: list[str] | None) -> tuple[Plan, Peace]:
    return _run_in_peace(plan_seed, transcript) if transcript is not None else _known(plan_seed)


@lru_cache(maxsize=4)
def _known(plan_seed: int) -> tuple[Plan, Peace]:
    return _run_in_peace(plan_seed, None)


def _run_in_peace(plan_seed: int, transcript: list[str] | None) -> tuple[Plan, Peace]:
    plan = make_plan(plan_seed)
    world = World(plan, Oracle(plan), FaultySystem(), transcript=transcript)
    with rare_things_happen_often():
        _finish(world, Random(plan_seed))
    world.say("--- the same, in trouble ---")
    return plan, Peace(world.outputs, world.system.calls, world.now_s, world.oracle.grants)


def _finish(world: World, random: Random) -> None:
    """Run and resume without trouble until the task has succeeded."""
    for _ in range(MOST_PROCESSES):
        code = Process(world, Trouble(), random).run()
        world.say("exit", code)
        if code == 0:
            return
        world.now_s += 4000.0  # a person comes back when what was asked for time is over
    require(holds=False, promise=f"the task does not end: {world.oracle.acknowledged[-1].event}")


class _Troubled:
    def __init__(
        self, seed: int, plan: Plan, peace: Peace, counts: Counts, transcript: list[str] | None
    ) -> None:
        self._random = Random(f"trouble {seed}")
        self._plan, self._peace, self._counts = plan, peace, counts
        system = FaultySystem(seed)
        self._world = World(plan, Oracle(plan), system, transcript=transcript)

    def run(self) -> Oracle:
        world, random = self._world, self._random
        with rare_things_happen_often():
            for _ in range(random.choice((1, 1, 2, 2, 3, 5))):
                self._one_process()
                world.now_s += random.choice((0, 0, 0, 64, 6400, 640000)) * TICK_S
                if random.random() < 0.1:
                    world.wall_shift_s = random.choice((-3600.0, -7.0, 0.0, 7.0))
            world.system.short_writes = False
            world.say("--- from here on in peace ---")
            _finish(world, random)
            self._check_end()
            if random.random() < 0.3:
                self._after_the_end()
        self._count()
        return world.oracle

    def _one_process(self) -> None:
        world, random = self._world, self._random
        trouble, then = self._trouble()
        world.say(f"process {world.processes + 1}: {trouble}, fault {world.system.fault}")
        try:
            code = Process(world, trouble, random).run()
            world.say("exit", code)
            self._counts.stops += trouble.stop_after_s is not None
        except PowerCut:
            world.say("the process died")
            self._counts.kills += 1
        except StoreError as error:
            self._check_refusal(error, trouble)
        except BaseException:
            if not world.system.off:
                raise
            world.say("the process died")
            self._counts.kills += 1
        self._after_process(then)

    def _check_refusal(self, error: StoreError, trouble: Trouble) -> None:
        world = self._world
        world.say("exit 4:", error.message)
        self._counts.faults += 1
        stolen = trouble.thief_after_s is not None
        expected = world.system.fired or (stolen and isinstance(error, Fenced))
        if not expected:
            raise error
        require("/" in error.message, f"no file is named: {error.message}")
        told = "agentrun resume" in error.hint or "the same command" in error.hint
        require(told, f"no next command is named: {error.hint}")

    def _after_process(self, then: str) -> None:
        world, random = self._world, self._random
        if then == "kill":
            world.system.kill()
        else:
            luck = random.choice(LUCKS)
            world.say("power cut, luck:", luck)
            world.system = world.system.reboot(luck, random.getrandbits(30))
            self._counts.power_cuts += 1
        world.system.fired = 0

    def _trouble(self) -> tuple[Trouble, str]:
        random, peace, system = self._random, self._peace, self._world.system
        system.short_writes = random.random() < 0.2
        trouble = Trouble(max_parallel=random.choice((1, 2, 64, 64)))
        moment = round(random.random() ** 2 * (peace.lasted_s + 1) / TICK_S) * TICK_S
        call = random.randint(1, random.choice((60, 150, peace.calls)))
        match random.choices(range(6), (30, 20, 20, 10, 4, 16))[0]:
            case 0:
                trouble.cut_at_call = call
            case 1:
                trouble.kill_after_s = moment
            case 2:
                code = random.choice(CODES)
                kinds = random.choice(((), (), ("pwrite",), ("fdatasync", "fsync"), ("rename",)))
                at = system.calls + call
                system.fault = Fault(at, code, random.random() < 0.4, frozenset(kinds))
            case 3:
                trouble.stop_after_s = moment
                trouble.stop = ev.TaskInterrupted(random.choice(("SIGINT", "SIGTERM")))
            case 4:
                trouble.stop_after_s, trouble.stop = moment, ev.TaskCancelled("enough")
            case _:
                pass
        self._nuisances(trouble, moment)
        return trouble, "power" if random.random() < 0.4 else "kill"

    def _nuisances(self, trouble: Trouble, moment: float) -> None:
        random = self._random
        if random.random() < 0.15:
            trouble.intruder_after_s = moment // 2
        if random.random() < 0.03 and trouble.cut_at_call is None:
            trouble.thief_after_s = moment // 2
        if random.random() < 0.2:
            trouble.answers_after_s = moment // 2
        if random.random() < 0.15:
            trouble.busy_share = random.choice((0.2, 0.6))

    def _check_end(self) -> None:
        world, oracle = self._world, self._world.oracle
        otherwise = oracle.interfered or oracle.grants != self._peace.grants
        otherwise = otherwise or any(step.kind == "approval" for step in self._plan.all_steps)
        comparable = not (otherwise and self._plan.outcome_depends_on_persons)
        if comparable:
            oracle.task_succeeded(world.outputs, self._peace.outputs)

    def _after_the_end(self) -> None:
        """The power fails once more; the result is still there, and nothing runs again."""
        world, random = self._world, self._random
        performed = len(world.oracle.performed)
        world.system = world.system.reboot(random.choice(LUCKS), random.getrandbits(30))
        code = Process(world, Trouble(), random).run()
        require(code == 0, f"a task that has succeeded ended with {code}")
        require(len(world.oracle.performed) == performed, "a step ran although all was done")

    def _count(self) -> None:
        counts, world = self._counts, self._world
        counts.schedules += 1
        counts.processes += world.processes
        counts.attempts += len(world.oracle.performed)
        counts.events += len(world.oracle.acknowledged)

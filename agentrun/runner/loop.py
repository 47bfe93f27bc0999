"""The only loop: name what can happen, record it durably, perform it.

One turn of the loop:

1. everything that was reported since (ended attempts, notes, answers) becomes events;
2. events are applied to the state at once, in memory, and what follows from them (the next starts,
   retries, the end) becomes further events of the same batch;
3. the batch is appended to the journal with one sync;
4. only then are people told, notes acknowledged and attempts launched.

So the success of one step and the start of the next share a sync, parallel steps share one too,
and nothing downstream starts and nothing is printed before its event is on disk. While a sync runs
in its thread, attempts go on and their reports gather for the next turn. If an append fails the
loop ends there: what was applied in memory was never acknowledged.

An attempt that is alone and known to be quick is performed within the turn, without a task of its
own; every BREATH_S the event loop gets its turn all the same.

`run` is this loop on a fresh journal, `resume` the same loop on one that is not.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, assert_never

from msgspec import Struct

from agentrun.core import address, events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.outcome import Note, ProcessStarted, SessionKnown, TurnDone
from agentrun.core.schedule import (
    Action,
    Attempt,
    Begin,
    Block,
    Close,
    Conclude,
    Expire,
    Recover,
    Schedule,
)
from agentrun.core.state import TaskState, apply
from agentrun.core.value import Value
from agentrun.report.reporter import Reporter
from agentrun.runner.order import Order
from agentrun.runner.result import Result

BREATH_S = 0.005
LONGEST_SLEEP_S = 60.0
"""The wall clock may be set and a laptop may sleep: look at it again at least this often."""


class Clock(Protocol):
    """The clocks. Durations come from `monotonic`, moments from `now` (epoch seconds)."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...


class Store(Protocol):
    """What the loop needs of a task's store."""

    def append(self, records: Sequence[ev.Recorded]) -> None: ...
    def maybe_snapshot(self, state: TaskState) -> bool: ...


class Conduct(Protocol):
    """How actions become events: the rules of the runner (conduct.py)."""

    def begin(self, key: str) -> None: ...
    def attempt(self, key: str) -> None: ...
    def recover(self, key: str) -> None: ...
    def close(self, key: str) -> None: ...
    def expire(self, key: str) -> None: ...
    def conclude(self, key: str) -> None: ...
    def finished(self, key: str, attempt: int, result: Result) -> None: ...
    def end(self) -> None: ...
    def order(self, key: str) -> Order: ...
    async def perform(self, order: Order) -> Result: ...


class Stop(Struct, frozen=True):
    """Why the loop was asked to stop: a signal, or a person's cancellation."""

    event: ev.TaskInterrupted | ev.TaskCancelled


class Loop:
    """Runs one task until it ends, pauses or is stopped."""

    def __init__(
        self,
        *,
        state: TaskState,
        workflow: Workflow,
        first: Sequence[ev.Event],
        store: Store,
        put: Callable[[Json], Value],
        clock: Clock,
        reporters: Sequence[Reporter] = (),
        scrub: Callable[[ev.Event], ev.Event] = lambda event: event,
        in_thread: bool = True,
    ) -> None:
        self.state = state
        self.ended = False
        self._store, self._put, self._scrub = store, put, scrub
        self._clock = clock
        self._reporters = reporters
        self._in_thread = in_thread
        self._batch: list[ev.Recorded] = []
        self._launches: list[str] = []
        self._promises: list[asyncio.Future[None]] = []
        self._inbox: deque[Callable[[], None]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._breathed = 0.0
        self._work: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()
        self._conversations: dict[str, list[Json]] = {}
        self._errors: list[BaseException] = []
        self._stop: Stop | None = None
        self._last_time = state.updated_at
        for event in first:
            self._take(event)
        self.schedule = Schedule(workflow, state)

    # --- what others may do -----------------------------------------------------------------------

    def record(self, event: ev.Event) -> None:
        """Take an event into this turn's batch and apply it. It is durable when the turn is."""
        self._take(event)
        self.schedule.follow(event)

    def _take(self, event: ev.Event) -> None:
        self._last_time = time = max(self._clock.now(), self._last_time)
        recorded = ev.Recorded(self.state.seq + 1, time, self._scrub(event))
        apply(self.state, recorded)
        self._batch.append(recorded)

    def launch(self, key: str) -> None:
        """Have the attempt performed once this turn is durable."""
        self._launches.append(key)

    def deliver(self, report: Callable[[], None]) -> None:
        """Have `report` called in the next turn, where it may record events."""
        self._inbox.append(report)
        self._wake()

    def stop(self, event: ev.TaskInterrupted | ev.TaskCancelled) -> None:
        """End everything that runs, record it, and return from `run`."""
        self._stop = self._stop or Stop(event)
        self._wake()

    def cancel(self, key: str) -> None:
        """End an attempt that runs; it is recorded as interrupted when it has ended."""
        if task := self._work.get(key):
            self._cancelled.add(key)
            task.cancel()

    def busy(self, key: str) -> bool:
        """Return whether this process works on the step right now, or is about to."""
        return key in self._work or key in self._launches

    def busy_keys(self, key: str) -> list[str]:
        """Return the step and those below it that this process works on right now."""
        return [each for each in self._work if each == key or address.under(each, key)]

    def start_work(self, key: str, work: Awaitable[None]) -> None:
        """Do something beside the loop that concerns a step; a stop cancels it."""
        self._work[key] = asyncio.get_running_loop().create_task(self._guarded(key, work))

    def _start_attempt(self, key: str) -> None:
        order = self._conduct.order(key)
        if not order.quick:
            self.start_work(key, self._perform_attempt(order))
            return
        from agentrun.runner.eager import begun  # most tasks have none

        if rest := begun(self._guarded(key, self._perform_attempt(order))):
            self._work[key] = rest

    async def note(self, key: str, attempt: int, note: Note) -> None:
        """Record what an attempt reports on its way; return when that is durable."""
        durable = asyncio.get_running_loop().create_future()

        def take() -> None:
            self.record(self._noted(key, attempt, note))
            self._promises.append(durable)

        self.deliver(take)
        await durable

    # --- the loop ---------------------------------------------------------------------------------

    async def run(self, conduct: Conduct) -> None:
        """Run to the end. Raises StoreError when the journal can't be written any more."""
        self._conduct = conduct
        try:
            while True:
                self._take_reports()
                if self._stop is not None:
                    await self._wind_down(self._stop)
                else:
                    self._turn()
                await self._commit()
                if self.ended:
                    return
                await self._sleep()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            await self._end_work()

    def _take_reports(self) -> None:
        if self._errors:
            raise self._errors[0]
        while self._inbox:
            self._inbox.popleft()()

    def _turn(self) -> None:
        now = self._clock.now()
        while actions := self.schedule.actions(now):
            known = self.schedule.rebuilt
            for action in actions:
                self._perform(action)
                if self.schedule.rebuilt != known:
                    break
        if self.schedule.idle and not self._work and not self._launches:
            self._conduct.end()
            self.ended = True

    def _perform(self, action: Action) -> None:
        conduct = self._conduct
        match action:
            case Begin():
                conduct.begin(action.key)
            case Attempt():
                conduct.attempt(action.key)
            case Recover():
                conduct.recover(action.key)
            case Close():
                conduct.close(action.key)
            case Block():
                self.record(ev.StepBlocked(action.key, action.by))
            case Expire():
                conduct.expire(action.key)
            case Conclude():
                conduct.conclude(action.key)
            case _:
                assert_never(action)

    async def _commit(self) -> None:
        batch, self._batch = self._batch, []
        promises, self._promises = self._promises, []
        launches, self._launches = self._launches, []
        if batch:
            if self._in_thread and self._work:
                await asyncio.get_running_loop().run_in_executor(None, self._store.append, batch)
            else:
                self._store.append(batch)
            for reporter in self._reporters:
                reporter.records(batch, self.state)
            self._store.maybe_snapshot(self.state)
        for promise in promises:
            if not promise.done():
                promise.set_result(None)
        if self._stop is None:
            for key in launches:
                self._start_attempt(key)

    async def _sleep(self) -> None:
        """Wait for a report, the next timer, or a stop."""
        moment = self._clock.monotonic()
        if self._inbox and not self._work and moment - self._breathed < BREATH_S:
            return
        self._breathed = moment
        await asyncio.sleep(0)  # what was launched may be over at once
        if self._inbox or self._errors or self._stop is not None:
            return
        wake = self.schedule.next_wake
        seconds = LONGEST_SLEEP_S
        if wake is not None:
            seconds = min(seconds, max(0.0, wake - self._clock.now()))
        self._set_alarm(seconds)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _set_alarm(self, seconds: float) -> None:
        """Wake up after so long at the latest. An alarm that is set already and comes sooner stays:
        a chain of quick steps then sets none at all, and an early wake-up does no harm.
        """
        loop = asyncio.get_running_loop()
        alarm, when = self._alarm, loop.time() + seconds
        if alarm is not None and loop.time() < alarm.when() <= when and not alarm.cancelled():
            return
        if alarm is not None:
            alarm.cancel()
        self._alarm = loop.call_at(when, self._wake)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- attempts ---------------------------------------------------------------------------------

    async def _perform_attempt(self, order: Order) -> None:
        key, number = order.key, order.number
        result = await self._conduct.perform(order)
        self._conversations.pop(key, None)
        self._forget(key)
        self.deliver(lambda: self._conduct.finished(key, number, result))

    async def _guarded(self, key: str, work: Awaitable[None]) -> None:
        """Let an error that is no failure of a step (a full disk, a bug of ours) end the loop."""
        try:
            await work
        except asyncio.CancelledError:
            if key not in self._cancelled:
                raise
            self._cancelled.discard(key)
            number = self.state.step(key).attempts
            self.deliver(lambda: self._cut_off(key, number))
        except BaseException as error:  # noqa: BLE001 - raised again in the loop's own task
            self._errors.append(error)
            self._wake()
        finally:
            self._forget(key)

    def release(self, key: str) -> None:
        """Say from within work on a step that it is over, so that the step may go on."""
        self._forget(key)

    def _cut_off(self, key: str, attempt: int) -> None:
        """Record the end of an attempt that was cancelled, unless what held it has ended too."""
        step = self.state.step(key)
        if step.status == "running" and step.attempts == attempt:
            self.record(ev.StepInterrupted(key, attempt, "halted"))

    def _forget(self, key: str) -> None:
        task = self._work.get(key)
        if task is not None and task is asyncio.current_task():
            del self._work[key]

    async def _end_work(self) -> None:
        tasks = list(self._work.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _wind_down(self, stop: Stop) -> None:
        await self._end_work()
        self._take_reports()
        signal = stop.event.signal if isinstance(stop.event, ev.TaskInterrupted) else "cancelled"
        for key in sorted(self.schedule.running):
            self.record(ev.StepInterrupted(key, self.state.step(key).attempts, signal))
        self.record(stop.event)
        self.ended = True

    # --- notes ------------------------------------------------------------------------------------

    def _noted(self, key: str, attempt: int, note: Note) -> ev.Event:
        match note:
            case ProcessStarted():
                return ev.ProcessNoted(key, attempt, note.pid, note.started)
            case SessionKnown():
                return ev.SessionNoted(key, attempt, note.session)
            case TurnDone():
                return self._turn_noted(key, attempt, note)
            case _:
                assert_never(note)

    def _turn_noted(self, key: str, attempt: int, note: TurnDone) -> ev.TurnNoted:
        """Record what a conversation gained since its last turn, so that bytes grow with it and
        not with its square. A conversation that was changed before its end is recorded whole.
        """
        known, now = self._conversations.get(key, []), note.messages
        start = 0
        if isinstance(now, list):
            self._conversations[key] = now
            if known and self.state.step(key).messages and now[: len(known)] == known:
                start, now = len(known), now[len(known) :]
        return ev.TurnNoted(key, attempt, self._put(now), note.usage, start)

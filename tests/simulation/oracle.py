"""What the world was told, and what must be true whatever happens to the machine.

The oracle stands outside the store and the runner. It sees what a person sees: the records that
reporters were told of (they count as acknowledged), and the attempts that were really performed.
It keeps its own, much simpler picture of the task, and compares.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentrun.core import address, events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step
from agentrun.core.retry import covers
from agentrun.core.scope import asks_for_failures
from agentrun.runner.order import Order
from tests.simulation.plan import PAD, Plan

MAX_WAIT_S = 600.0
MOST_EVENTS = 1500
ENDINGS = (
    ev.TaskPaused,
    ev.TaskSucceeded,
    ev.TaskFailed,
    ev.TaskCancelled,
    ev.TaskInterrupted,
)


class Broken(AssertionError):
    """A promise was broken."""


def require(holds: object, promise: str) -> None:
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(promise)


@dataclass
class Seen:
    """The oracle's own picture of one step, item or sub-workflow step."""

    attempt: int = 0
    running: bool = False
    done: bool = False
    gave_up: bool = False
    continued: bool = False
    blocked: bool = False
    failed_in_set: int = 0
    failure: Failure | None = None
    failure_open: bool = False
    round: int = 1
    due: float | None = None
    waits_until: float | None = None
    permitted: bool = True
    """A step that is not idempotent may be started (once more)."""
    opened: bool = False
    unknown: bool = False
    """An attempt began, and nobody knows how it ended."""


@dataclass
class Performed:
    """One attempt that was really performed."""

    key: str
    number: int
    process: int
    idempotency_key: str
    ended: bool = False


@dataclass
class Oracle:
    """See the module."""

    plan: Plan
    acknowledged: list[ev.Recorded] = field(default_factory=list)
    tried: dict[int, list[ev.Recorded]] = field(default_factory=dict)
    performed: list[Performed] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    resumed_at: float = 0.0
    halted: bool = False
    never_busy: bool = True
    """No limit keeps a step that is due from starting at once."""
    told_success: bool = False
    said_retry: set[str] = field(default_factory=set)
    """Steps that a person said are to be run again, by name."""
    interfered: bool = False
    """Something happened that grants attempts at another moment than an undisturbed run does."""

    @property
    def grants(self) -> int:
        """Return how often fresh sets of attempts were granted."""
        granted = (isinstance(each.event, ev.AttemptsGranted) for each in self.acknowledged)
        return sum(granted)

    # --- what the store is told and says ----------------------------------------------------------

    def tries(self, records: Sequence[ev.Recorded]) -> None:
        """Take account of records that are being written: they may be on disk from now on."""
        require(len(self.acknowledged) < MOST_EVENTS, "the task goes on for ever")
        for record in records:
            self.tried.setdefault(record.seq, []).append(record)

    def acknowledge(self, records: Sequence[ev.Recorded]) -> None:
        """Take account of records that the world was told of."""
        for record in records:
            require(
                record.seq == len(self.acknowledged) + 1, f"event {record.seq} told out of order"
            )
            if self.acknowledged:
                before = self.acknowledged[-1].time
                require(record.time >= before, f"event {record.seq} is older than the one before")
            self.acknowledged.append(record)
            self._follow(record, live=True)

    def found_on_disk(self, records: Sequence[ev.Recorded]) -> None:
        """Compare what a new process finds: all that was told, and nothing that was not tried."""
        told = self.acknowledged
        require(len(records) >= len(told), f"{len(told)} events were told, {len(records)} are left")
        for ours, theirs in zip(told, records, strict=False):
            require(ours == theirs, f"event {ours.seq} was {ours.event}, and is {theirs.event}")
        more = records[len(told) :]
        wrote = all(record in self.tried.get(record.seq, ()) for record in more)
        require(wrote, "there are events that nobody wrote")
        self.acknowledged = list(records)
        self.tried = {}
        self.seen, self.halted = {}, False
        for record in records:
            self._follow(record, live=False)

    def nothing_is_left(self) -> None:
        """The task is not there: then nobody may have been told of it."""
        require(not self.acknowledged, "the task is gone")

    def success_told(self) -> None:
        """A process printed the result and ended with exit code 0."""
        self.told_success = True

    # --- attempts ---------------------------------------------------------------------------------

    def begins(self, order: Order, process: int, now: float) -> Performed:
        """Check that an attempt may be performed now."""
        key, seen = order.key, self._of(order.key)
        require(not seen.done, f"{key} has succeeded and is performed again")
        require(seen.running, f"{key} is performed before its start is durable")
        require(seen.attempt == order.number, f"attempt {order.number} of {key} is not the last")
        for other in self.performed:
            if other.process == process and other.key == key and not other.ended:
                raise Broken(f"two attempts of {key} are performed at once")
        self._check_needs(key)
        performed = Performed(key, order.number, process, order.idempotency_key)
        self.performed.append(performed)
        return performed

    def _check_needs(self, key: str) -> None:
        for holder in (key, *address.ancestors(key)):
            if address.parent_loop(holder) is not None:
                continue
            step = self.plan.definition(holder)
            for need in step.needs:
                other = self._of(address.inside(address.parent_scope(holder), need))
                bad = other.blocked or (other.gave_up and not other.continued)
                fine = other.done or other.continued or (bad and asks_for_failures(step))
                require(fine, f"{key} is performed, but {need}, which {holder} needs, is not done")

    # --- the picture ------------------------------------------------------------------------------

    def _of(self, key: str) -> Seen:
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = Seen()
        return found

    def _below(self, key: str) -> Iterator[str]:
        return (other for other in list(self.seen) if address.under(other, key))

    def _follow(self, record: ev.Recorded, *, live: bool) -> None:
        event, time = record.event, record.time
        match event:
            case ev.TaskResumed():
                self.resumed_at, self.halted = time, False
            case ev.TaskHalted():
                self.halted = self.interfered = True
            case ev.StepsReset():
                for key in event.steps:
                    self._forget(key)
            case ev.AttemptsGranted():
                self._grant(event)
            case ev.TaskCancelled():
                self.interfered = True
                for seen in self.seen.values():
                    seen.running = False
            case ev.ScopeOpened():
                seen = self._of(event.step)
                require(not seen.opened, f"{event.step} was opened while it is open")
                seen.opened = True
                if event.fresh:
                    for key in self._below(event.step):
                        del self.seen[key]
            case _ if isinstance(event, ev.StepEvent):
                self._follow_step(event, self._of(event.step), time, live=live)
            case _:
                pass

    def _follow_step(self, event: ev.StepEvent, seen: Seen, time: float, *, live: bool) -> None:
        key = event.step
        if isinstance(event, ev.StepFailed | ev.RoundFinished | ev.FallbackTaken | ev.StepGaveUp):
            seen.opened = False
        match event:
            case ev.StepStarted():
                self._starts(event, seen, time, live=live)
            case ev.StepSucceeded():
                require(not seen.done, f"{key} has succeeded twice")
                self._check_wait(key, seen, time, live=live)
                seen.done, seen.running, seen.failure_open = True, False, False
                seen.unknown = False
            case ev.StepSkipped():
                seen.done, seen.running, seen.gave_up, seen.blocked = True, False, False, False
            case ev.StepFailed():
                require(not seen.done, f"{key} has succeeded and fails now")
                seen.running, seen.failure, seen.failure_open = False, event.failure, True
                seen.failed_in_set += 1
                seen.unknown = False
                if not event.failure.took_effect:
                    seen.permitted = True
            case ev.StepInterrupted():
                seen.running = False
            case ev.RoundFinished():
                seen.running, seen.round, seen.failed_in_set = False, event.round + 1, 0
                seen.permitted, seen.unknown = True, False
            case ev.RetryScheduled():
                seen.due, seen.failure_open = event.at, False
                self._check_charge(key, seen, over=False)
            case ev.FallbackTaken():
                self._check_charge(key, seen, over=True)
                seen.failed_in_set, seen.failure_open, seen.due = 0, False, None
            case ev.StepGaveUp():
                self._check_charge(key, seen, over=True)
                seen.gave_up, seen.continued, seen.failure_open = True, event.continued, False
            case ev.StepParked():
                self.interfered = self.interfered or not seen.failure_open
                self._check_charge(key, seen, over=True)
                seen.failure_open = False
            case ev.StepBlocked():
                seen.blocked = True
            case ev.PersonAsked():
                self.interfered = True
            case ev.StepAnswered():
                seen.permitted, seen.unknown = True, False
            case ev.WaitStarted():
                if seen.waits_until is not None:
                    raise Broken(f"the wait {key} began twice")
                seen.waits_until = event.until
            case _:
                pass

    def _starts(self, event: ev.StepStarted, seen: Seen, time: float, *, live: bool) -> None:
        key = event.step
        require(not seen.done, f"{key} has succeeded and was started again")
        require(not seen.running, f"{key} was started while it runs")
        require(not self.halted, f"{key} was started after the task was halted")
        require(
            event.attempt == seen.attempt + 1, f"attempt {event.attempt} of {key} is misnumbered"
        )
        if seen.due is not None:
            require(time >= seen.due, f"{key} was tried again {seen.due - time} s too early")
            if live and self.never_busy and not self._shares_a_place(key):
                late = time - max(seen.due, self.resumed_at)
                require(late <= 0, f"{key} was tried again {late} s too late")
        if not self.plan.definition(key).idempotent:
            require(seen.permitted, f"{key} is not idempotent and is repeated by itself")
        seen.permitted, seen.unknown = False, True
        seen.attempt, seen.running, seen.due = event.attempt, True, None
        seen.gave_up = seen.continued = False

    def _shares_a_place(self, key: str) -> bool:
        """Say whether it may have to wait for another item of its `for_each`."""
        return any(
            address.parent_loop(each) is not None
            and self.plan.definition(each).max_parallel is not None
            for each in (key, *address.ancestors(key))
        )

    def _check_wait(self, key: str, seen: Seen, time: float, *, live: bool) -> None:
        if seen.waits_until is None:
            return
        require(time >= seen.waits_until, f"the wait {key} ended {seen.waits_until - time} s early")
        if live and self.never_busy:
            late = time - max(seen.waits_until, self.resumed_at)
            require(late <= 0, f"the wait {key} ended {late} s late")

    def _check_charge(self, key: str, seen: Seen, *, over: bool) -> None:
        """A set of attempts ends when its failures are used up, not before and not after."""
        step, failure = self.plan.definition(key), seen.failure
        if failure is None or step.retry is None or self._is_holder(key, step):
            return
        if not seen.failure_open and over:
            return
        most = step.retry.max_attempts
        if not over:
            require(seen.failed_in_set < most, f"{key} failed {seen.failed_in_set} of {most} times")
            return
        waits_long = (failure.retry_after_s or 0) > MAX_WAIT_S
        repeatable = step.idempotent or not failure.took_effect
        if covers(step.retry, failure) and repeatable and not waits_long:
            require(
                seen.failed_in_set >= most,
                f"{key} was given up after {seen.failed_in_set} failures of {most}",
            )

    def _is_holder(self, key: str, step: Step) -> bool:
        return step.for_each is not None and address.parent_loop(key) is None

    def _grant(self, event: ev.AttemptsGranted) -> None:
        for seen in self.seen.values():
            seen.blocked = False
        for key in event.steps:
            seen = self._of(key)
            seen.gave_up = seen.continued = seen.opened = False
            seen.failed_in_set, seen.due = 0, None
            if not seen.unknown or key in self.said_retry:
                seen.permitted, seen.unknown = True, False

    def _forget(self, key: str) -> None:
        for other in self._below(key):
            del self.seen[other]
        self.seen[key] = Seen()
        for holder in address.ancestors(key):
            self._of(holder).done = False

    # --- the end ----------------------------------------------------------------------------------

    def process_ended(self) -> None:
        """A process let go of the task in an orderly way."""
        last = self.acknowledged[-1].event
        require(isinstance(last, ENDINGS), f"the process ended after {type(last).__name__}")

    def task_succeeded(self, outputs: Json, expected: Json) -> None:
        """The task is over."""
        wrong, right = str(outputs).replace(PAD, "PAD"), str(expected).replace(PAD, "PAD")
        require(outputs == expected, f"the outputs are {wrong}, not {right}")

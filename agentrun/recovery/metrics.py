"""How well tasks recover, counted from their journals. Pure: a fold over records.

Owns what is counted (`Counts`), how counts become the metrics (`metrics`) and their targets. The
definitions stand in docs/metrics.md; a test keeps names and targets the same there and here.

The unit is the *trouble* of a step: it begins with the failure of an attempt and ends when the step
succeeds (recovered), ends failed (lost), or a person steps in (manual). A step that is parked or
waits is still in trouble: open. Troubles whose first failure is fatal are counted apart: halting
there is right, so they speak neither for nor against recovery.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct, field

from agentrun.core import events as ev
from agentrun.core.failure import Category
from agentrun.core.outcome import Usage

MAX_TIMES = 100_000
"""So many recovery times are kept for the percentile."""


class Counts(Struct):
    """What was counted; adding two gives the counts of both."""

    tasks: int = 0
    tasks_by_ending: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    failures: int = 0
    failures_by_kind: dict[str, int] = field(default_factory=dict)
    failures_by_step: dict[str, int] = field(default_factory=dict)
    troubles: int = 0
    recovered: int = 0
    manual: int = 0
    lost: int = 0
    open: int = 0
    fatal: int = 0
    retries: int = 0
    retried: int = 0
    retried_succeeded: int = 0
    recovery_s: list[float] = field(default_factory=list)
    detection_s: float = 0.0
    attempt_s: float = 0.0
    overhead_s: float = 0.0
    steps_ended: int = 0
    steps_delivered: int = 0
    interruptions: int = 0
    task_s: float = 0.0
    usd: float = 0.0
    usd_unknown: bool = False
    tokens: int = 0

    def add(self, other: "Counts") -> None:
        """Add the counts of another."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, dict):
                for key, count in theirs.items():
                    mine[key] = mine.get(key, 0) + count
            elif name == "recovery_s":
                mine.extend(theirs[: MAX_TIMES - len(mine)])
            elif isinstance(mine, bool):
                setattr(self, name, mine or theirs)
            else:
                setattr(self, name, mine + theirs)


class Metric(Struct, frozen=True):
    """One figure; `value` None means that nothing happened that it could be taken from. `better`
    says on which side of `target` it should lie.
    """

    name: str
    value: float | None
    target: float
    unit: Literal["%", "s"]
    better: Literal["above", "below"]

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is no value."""
        if self.value is None:
            return None
        return self.value >= self.target if self.better == "above" else self.value <= self.target


def metrics(counts: Counts) -> tuple[Metric, ...]:
    """Return the figures of docs/metrics.md, in its order."""
    ended = counts.recovered + counts.lost + counts.manual
    times = sorted(counts.recovery_s)
    mean = sum(times) / len(times) if times else None
    slow = times[min(len(times) - 1, int(len(times) * 0.95))] if times else None
    return (
        _share("recovery success rate", counts.recovered, ended, 95, "above"),
        Metric("mean time to recovery", mean, 30, "s", "below"),
        _share("retry success rate", counts.retried_succeeded, counts.retried, 80, "above"),
        _share("manual intervention rate", counts.manual, ended, 5, "below"),
        _share("checkpoint overhead", counts.overhead_s, counts.attempt_s, 5, "below"),
        Metric("detection time", _ratio(counts.detection_s, counts.failures), 5, "s", "below"),
        Metric("recovery time", slow, 120, "s", "below"),
        _share("availability", counts.steps_delivered, counts.steps_ended, 99.9, "above"),
    )


def count(records: Iterable[ev.Recorded]) -> Counts:
    """Count one task."""
    fold = _Fold()
    for recorded in records:
        fold.take(recorded)
    return fold.result()


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sum of many counts."""
    result = Counts()
    for part in parts:
        result.add(part)
    return result


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _share(
    name: str, part: float, whole: float, target: float, better: Literal["above", "below"]
) -> Metric:
    ratio = _ratio(part, whole)
    return Metric(name, None if ratio is None else 100 * ratio, target, "%", better)


class _Step(Struct):
    """What the fold knows of one step. `trouble_at` is when its trouble began."""

    started_at: float | None = None
    retrying: bool = False
    retried: bool = False
    trouble_at: float | None = None
    fatal: bool = False
    manual: bool = False
    lost: bool = False
    delivered: bool = False
    ended: bool = False


ENDINGS: dict[type[ev.Event], str] = {
    ev.TaskSucceeded: "succeeded",
    ev.TaskFailed: "failed",
    ev.TaskPaused: "paused",
    ev.TaskCancelled: "cancelled",
    ev.TaskInterrupted: "interrupted",
}


class _Fold:
    """Counting, record by record. The steps' last words are counted at the end."""

    def __init__(self) -> None:
        self._counts = Counts(tasks=1)
        self._steps: dict[str, _Step] = {}
        self._groups: set[str] = set()
        self._ending = "running"
        self._began: float | None = None

    def take(self, recorded: ev.Recorded) -> None:
        event, time = recorded.event, recorded.time
        self._began = time if self._began is None else self._began
        self._counts.task_s = max(0.0, time - self._began)
        self._ending = ENDINGS.get(type(event), self._ending)
        if isinstance(event, ev.TaskResumed):
            self._ending = "running"
        elif isinstance(event, ev.AttemptsGranted | ev.StepsReset):
            self._granted(event.steps)
        elif not isinstance(event, ev.TaskEvent):
            self._take_step(event, self._steps.setdefault(event.step, _Step()), time)

    def _take_step(self, event: ev.StepEvent, step: _Step, time: float) -> None:
        match event:
            case ev.StepExpanded() | ev.ScopeOpened():
                self._groups.add(event.step)
            case ev.StepStarted():
                self._counts.attempts += 1
                step.started_at = time
                self._counts.retries += step.retrying
            case ev.StepSucceeded() | ev.RoundFinished():
                self._attempt_ended(event, step, time)
                self._over(step, time)
                step.ended = step.delivered = isinstance(event, ev.StepSucceeded)
            case ev.StepFailed():
                self._attempt_ended(event, step, time)
                self._failed(event, step, time)
            case ev.RetryScheduled():
                step.retrying, step.retried = True, True
            case ev.StepGaveUp():
                step.ended, step.lost, step.delivered = True, True, False
            case ev.StepSkipped():
                self._over(step, time)
                step.ended = step.delivered = True
            case ev.PersonAsked():
                self._person(step, time)
            case ev.StepInterrupted():
                self._counts.interruptions += 1
                step.retrying = False
            case ev.TurnNoted() | ev.FixApplied() | ev.Diagnosed():
                self._used(event.usage)
            case _:
                pass

    def _attempt_ended(
        self, event: ev.StepSucceeded | ev.RoundFinished | ev.StepFailed, step: _Step, time: float
    ) -> None:
        self._used(event.usage)
        if step.started_at is None:
            return
        span = max(0.0, time - step.started_at)
        lag = max(0.0, span - event.duration_s)
        self._counts.attempt_s += span
        self._counts.overhead_s += lag
        if isinstance(event, ev.StepFailed):
            self._counts.detection_s += lag

    def _used(self, usage: Usage | None) -> None:
        if usage is not None:
            self._counts.tokens += usage.tokens
            self._counts.usd += usage.usd or 0.0
            self._counts.usd_unknown |= usage.unpriced

    def _failed(self, event: ev.StepFailed, step: _Step, time: float) -> None:
        step.retrying = False
        if event.step in self._groups:
            return
        counts, kind = self._counts, str(event.failure.kind)
        counts.failures += 1
        counts.failures_by_kind[kind] = counts.failures_by_kind.get(kind, 0) + 1
        name = event.step.partition("[")[0]
        counts.failures_by_step[name] = counts.failures_by_step.get(name, 0) + 1
        if step.trouble_at is None:
            step.trouble_at = time
            step.fatal = event.failure.category is Category.FATAL

    def _person(self, step: _Step, time: float) -> None:
        step.manual = True
        if step.trouble_at is None:
            step.trouble_at = time

    def _granted(self, keys: Sequence[str]) -> None:
        """Take a resume after a failure for what it is: a person. A parked step needed only time,
        and a loop around `resume` gives it that.
        """
        for key in keys:
            step = self._steps.get(key)
            if step is not None and step.lost:
                step.lost, step.ended, step.manual = False, False, True

    def _over(self, step: _Step, time: float) -> None:
        """Close the step's trouble, if it had one: it works again."""
        step.retrying = False
        if step.trouble_at is None:
            return
        if step.manual:
            self._counts.manual += not step.fatal
        elif not step.fatal:
            self._counts.recovered += 1
            self._counts.recovery_s.append(max(0.0, time - step.trouble_at))
        self._counts.fatal += step.fatal
        self._counts.troubles += 1
        self._counts.retried += step.retried
        self._counts.retried_succeeded += step.retried
        step.trouble_at = None
        step.fatal = step.manual = step.retried = False

    def result(self) -> Counts:
        counts = self._counts
        counts.tasks_by_ending = {self._ending: 1}
        for key, step in self._steps.items():
            if key in self._groups:
                continue
            counts.steps_ended += step.ended
            counts.steps_delivered += step.delivered
            if step.trouble_at is None:
                continue
            counts.troubles += 1
            counts.retried += step.retried and step.lost
            if step.fatal:
                counts.fatal += 1
            elif step.manual:
                counts.manual += 1
            elif step.lost:
                counts.lost += 1
            else:
                counts.open += 1
        return counts

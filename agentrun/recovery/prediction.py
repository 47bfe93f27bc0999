"""What a run is likely to bring, from how its steps have fared: chance of failure, time, money.

Owns the arithmetic. Pure: a workflow and its history in, a `Forecast` per step out. The chance of a
step is the mean of a Beta distribution: its own failures and successes on top of PRIOR_RUNS runs at
the rate of all steps together (a Beta-Binomial model), so that one bad run is no verdict. It keeps
quiet where history is thin: below MIN_RUNS of the step, or MIN_RUNS_OF_ALL in the folder.

benchmarks/prediction.py measures how well chances are calibrated.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod, sqrt

from msgspec import Struct

from agentrun.core.model import Step, Workflow
from agentrun.recovery.history import HASH_CHARS, StepHistory

MIN_RUNS = 5
MIN_RUNS_OF_ALL = 30
PRIOR_RUNS = 2.0
Z_OF_80_PERCENT = 1.28
OFTEN = 0.3
"""A chance from which on a person is warned."""


class Range(Struct, frozen=True):
    """What is likely: in four of five runs it lay between `low` and `high`."""

    low: float
    middle: float
    high: float


class Forecast(Struct, frozen=True):
    """What is likely of a step. None: too little is known. `worst` is the most frequent kind of
    failure, "" when there was none.
    """

    step: str
    runs: int
    chance: Range | None = None
    seconds: Range | None = None
    usd: Range | None = None
    worst: str = ""


def base_rate(known: Mapping[str, StepHistory]) -> float | None:
    """Return the rate at which steps fail here, whichever; None when too little is known."""
    failed = sum(each.failed for each in known.values())
    runs = failed + sum(each.ok for each in known.values())
    return None if runs < MIN_RUNS_OF_ALL else (failed + 0.5) / (runs + 1)


def chance_of(ok: int, failed: int, base: float) -> Range:
    """Return the chance that the next run fails, with its range."""
    a, b = failed + base * PRIOR_RUNS, ok + (1 - base) * PRIOR_RUNS
    mean = a / (a + b)
    spread = Z_OF_80_PERCENT * sqrt(mean * (1 - mean) / (a + b + 1))
    return Range(max(0.0, mean - spread), mean, min(1.0, mean + spread))


def forecast(workflow: Workflow, known: Mapping[str, StepHistory]) -> list[Forecast]:
    """Return what is likely of each step of the workflow, in the order of the file."""
    base = base_rate(known)
    return [
        _of_step(step, known.get(step.content_hash[:HASH_CHARS]), base) for step in workflow.steps
    ]


def whole(workflow: Workflow, steps: Sequence[Forecast]) -> Forecast:
    """Return what is likely of the task: of the steps that something is known about."""
    by_id = {each.step: each for each in steps}
    chances = [each.chance for each in steps if each.chance is not None]
    prices = [each.usd for each in steps if each.usd is not None]
    timed = any(each.seconds for each in steps)
    return Forecast(
        workflow.name,
        min((each.runs for each in steps if each.runs), default=0),
        _each_end(lambda end: _any_of(chances, end)) if chances else None,
        _each_end(lambda end: _longest(workflow, by_id, end)) if timed else None,
        _each_end(lambda end: sum(getattr(each, end) for each in prices)) if prices else None,
    )


def _each_end(value: Callable[[str], float]) -> Range:
    return Range(value("low"), value("middle"), value("high"))


def _of_step(step: Step, known: StepHistory | None, base: float | None) -> Forecast:
    if known is None:
        return Forecast(step.id, 0)
    runs = known.ok + known.failed
    enough = base is not None and runs >= MIN_RUNS
    return Forecast(
        step.id,
        runs,
        chance_of(known.ok, known.failed, base) if enough and base is not None else None,
        _range(known.seconds),
        _range(known.usd),
        max(known.kinds, key=lambda kind: known.kinds[kind], default=""),
    )


def _range(seen: Sequence[float]) -> Range | None:
    if len(seen) < MIN_RUNS:
        return None
    ordered = sorted(seen)
    last = len(ordered) - 1
    return Range(ordered[round(last * 0.1)], ordered[round(last * 0.5)], ordered[round(last * 0.9)])


def _any_of(chances: Sequence[Range], end: str) -> float:
    return 1.0 - prod(1.0 - float(getattr(chance, end)) for chance in chances)


def _longest(workflow: Workflow, known: Mapping[str, Forecast], end: str) -> float:
    """Return the time of the longest way through the steps."""
    until: dict[str, float] = {}
    for step in workflow.steps:  # in the order of the file a need stands above
        seconds = known[step.id].seconds
        begins = max((until.get(need, 0.0) for need in step.needs), default=0.0)
        until[step.id] = begins + (0.0 if seconds is None else float(getattr(seconds, end)))
    return max(until.values(), default=0.0)

"""What to change about a workflow, from how its steps have fared: each with the numbers behind it.

Owns the rules and their bounds. Pure: a workflow and its history in, advice out. What has one right
value comes with a `Change` that can be written to the file; what needs thought (which fallback?)
does not.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from agentrun.core.failure import CATEGORY_OF, Category, Kind
from agentrun.core.model import Step, Workflow
from agentrun.recovery.history import HASH_CHARS, StepHistory

MIN_RUNS = 10
OFTEN_LOST = 0.1
MIN_OF_A_KIND = 3
MORE_ATTEMPTS = 5
FEW_ATTEMPTS = 3
CALLS = frozenset({"agent", "http"})
"""Kinds that wait for somebody else: one that hangs should not hang for ever."""


class Change(Struct, frozen=True):
    """A key to set, as it is written in YAML. `step` "" is the workflow itself."""

    step: str
    key: str
    value: str


class Advice(Struct, frozen=True):
    """One recommendation; `numbers` say why."""

    step: str
    text: str
    numbers: str
    change: Change | None = None


def advise(
    workflow: Workflow,
    known: Mapping[str, StepHistory],
    component_of: Callable[[Step], str | None],
) -> Iterator[Advice]:
    """Yield what should be changed; nothing of steps with fewer than MIN_RUNS runs."""
    limited = set(workflow.limits)
    for step in workflow.steps:
        seen = known.get(step.content_hash[:HASH_CHARS])
        if seen is None or seen.ok + seen.failed < MIN_RUNS:
            continue
        yield from _fallback(step, seen)
        yield from _retry(step, seen)
        yield from _timeout(step, seen)
        component = component_of(step)
        if component is not None and component not in limited:
            for advice in _limit(step, seen, component):
                limited.add(component)
                yield advice


def _fallback(step: Step, seen: StepHistory) -> Iterator[Advice]:
    runs = seen.ok + seen.failed
    if step.fallback or seen.failed / runs < OFTEN_LOST:
        return
    worst = max(seen.kinds, key=lambda kind: seen.kinds[kind], default="")
    numbers = f"{seen.failed} of {runs} runs ended failed" + (f", mostly {worst}" if worst else "")
    yield Advice(step.id, "give it a `fallback`: another way to do the same", numbers)


def _retry(step: Step, seen: StepHistory) -> Iterator[Advice]:
    passing = sum(n for kind, n in seen.kinds.items() if _category(kind) is Category.TRANSIENT)
    attempts = FEW_ATTEMPTS if step.retry is None else step.retry.max_attempts
    if passing < MIN_OF_A_KIND or not seen.failed or attempts > FEW_ATTEMPTS or not step.idempotent:
        return
    numbers = f"{passing} runs met something temporary, {seen.failed} were lost"
    change = None
    if step.retry is None:
        change = Change(step.id, "retry", f"{{max_attempts: {MORE_ATTEMPTS}}}")
    yield Advice(step.id, f"let it try {MORE_ATTEMPTS} times", numbers, change)


def _timeout(step: Step, seen: StepHistory) -> Iterator[Advice]:
    slowest = max(seen.seconds, default=0.0)
    if len(seen.seconds) < MIN_RUNS:
        return
    ended = seen.kinds.get(Kind.TIMEOUT, 0)
    if step.timeout_s is None:
        if step.kind in CALLS:
            limit = nice(max(10.0, slowest * 3))
            numbers = f"its slowest of {len(seen.seconds)} successes took {slowest:.1f} s"
            change = Change(step.id, "timeout", limit)
            yield Advice(step.id, f"end it when it hangs: `timeout: {limit}`", numbers, change)
    elif ended >= MIN_OF_A_KIND and step.timeout_s < slowest * 1.5:
        limit = nice(slowest * 2)
        taken = f"successes took up to {slowest:.1f} s"
        numbers = f"{ended} runs met its limit of {step.timeout_s:g} s; {taken}"
        change = Change(step.id, "timeout", limit)
        yield Advice(step.id, f"give it more time: `timeout: {limit}`", numbers, change)


def _limit(step: Step, seen: StepHistory, component: str) -> Iterator[Advice]:
    refused = seen.kinds.get(Kind.RATE_LIMIT, 0) + seen.kinds.get(Kind.OVERLOADED, 0)
    if refused < MIN_OF_A_KIND:
        return
    numbers = f"{component} refused {refused} of {seen.ok + seen.failed} runs for their number"
    change = Change("", "limits", f"{{{component}: {{concurrency: 2}}}}")
    yield Advice(step.id, f"let fewer call {component} at once (`limits`)", numbers, change)


def nice(seconds: float) -> str:
    """Return a duration that a person would write, not shorter."""
    for most, step, unit, word in ((60, 5, 1, "s"), (3600, 60, 60, "m"), (1e9, 3600, 3600, "h")):
        if seconds < most:
            count = -(-seconds // step) * step
            return f"{count / unit:g}{word}"
    raise ValueError(f"{seconds} s is no time limit")


def _category(kind: str) -> Category | None:
    try:
        return CATEGORY_OF[Kind(kind)]
    except ValueError:
        return None

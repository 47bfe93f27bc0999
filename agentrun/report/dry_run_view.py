"""`run --dry-run`: what would run, in order."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, to_builtins

from agentrun.core.model import Json, Step, Workflow
from agentrun.report import words
from agentrun.report.result import json_text
from agentrun.report.screen import Screen

MAX_VALUE_LINES = 12


class Estimate(Struct, frozen=True):
    """What a step took in its past `runs`. `usd` is None where no price is known."""

    runs: int
    seconds: float
    usd: float | None = None


class Planned(Struct, frozen=True):
    """A step as it would run. Steps of one `wave` can run at the same time."""

    key: str
    step: Step
    wave: int
    spec: Json
    estimate: Estimate | None = None


def dry_run_lines(
    workflow: Workflow,
    inputs: Mapping[str, Json],
    steps: Sequence[Planned],
    missing: Sequence[str],
    screen: Screen,
) -> Iterator[str]:
    """Yield the page."""
    count = words.plural(len(steps), "step")
    yield f"{screen.paint('bold', workflow.name)}: {count}, nothing is run"
    if inputs:
        yield f"  inputs  {words.one_line(json_text(dict(inputs)))}"
    for name in missing:
        yield f"  {screen.paint('red', 'missing')} secret {name} is not set"
    for planned in steps:
        yield ""
        yield from _step(planned, screen)
    yield ""
    yield from _expected(steps)


def _expected(steps: Sequence[Planned]) -> Iterator[str]:
    """Yield what the whole may take, going by the past. Items of a `for_each` count once."""
    known = [each.estimate for each in steps if each.estimate is not None]
    agents = [each for each in steps if each.step.kind == "agent"]
    unpriced = [each for each in agents if each.estimate is None or each.estimate.usd is None]
    prices = [each.usd for each in known if each.usd is not None]
    if known:
        took = words.duration(sum(each.seconds for each in known))
        count = f"{len(known)} of {words.plural(len(steps), 'step')}"
        yield f"  expected  {took} of work, going by the past of {count}"
    if prices or agents:
        cost = words.usd(sum(prices), incomplete=bool(unpriced))
        some = f" ({words.plural(len(unpriced), 'agent step')} without a past)" if unpriced else ""
        yield f"  cost      {cost}{some}"


def _step(planned: Planned, screen: Screen) -> Iterator[str]:
    step = planned.step
    needs = f"  after {', '.join(step.needs)}" if step.needs else ""
    wave = screen.paint("dim", f"{planned.wave:>3}")
    yield f"{wave}  {screen.paint('bold', planned.key)}  {step.kind}{screen.paint('dim', needs)}"
    if planned.estimate is not None:
        yield f"       {_past(planned.estimate)}"
    for label, value in _facts(step):
        text = value if isinstance(value, str) else json_text(value)
        yield f"       {label}: {words.one_line(text)}"
    for label, value in _spec(planned.spec):
        yield from _value(label, value)


def _past(estimate: Estimate) -> str:
    price = "" if estimate.usd is None else f", {words.usd(estimate.usd)}"
    took = words.duration(estimate.seconds)
    return f"before: {took}{price} ({words.plural(estimate.runs, 'run')})"


def _facts(step: Step) -> Iterator[tuple[str, Json]]:
    facts: list[tuple[str, Json]] = [
        ("if", step.if_),
        ("for each", step.for_each),
        ("until", step.until),
        ("attempts", step.retry.max_attempts if step.retry else None),
        ("timeout", words.duration(step.timeout_s) if step.timeout_s else None),
        ("fallbacks", ", ".join(way.kind for way in step.fallback) or None),
    ]
    yield from ((label, value) for label, value in facts if value is not None)


def _spec(spec: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(spec, dict):
        yield from ((key, value) for key, value in spec.items() if value not in (None, [], {}))


def _value(label: str, value: Json) -> Iterator[str]:
    text = words.safe(value if isinstance(value, str) else json_text(value))
    lines = text.rstrip("\n").split("\n")
    if len(lines) == 1:
        yield f"       {label}: {lines[0]}"
        return
    yield f"       {label}:"
    yield from (f"         {line}" for line in lines[:MAX_VALUE_LINES])
    if len(lines) > MAX_VALUE_LINES:
        yield f"         … {len(lines) - MAX_VALUE_LINES} more lines"


def dry_run_object(
    workflow: Workflow,
    inputs: Mapping[str, Json],
    steps: Sequence[Planned],
    missing: Sequence[str],
) -> dict[str, Json]:
    """Return the same as data."""
    return {
        "workflow": workflow.name,
        "inputs": dict(inputs),
        "missing_secrets": list(missing),
        "steps": [
            {
                "id": planned.key,
                "kind": planned.step.kind,
                "wave": planned.wave,
                "needs": list(planned.step.needs),
                "if": planned.step.if_,
                "for_each": planned.step.for_each,
                "spec": planned.spec,
                "estimate": to_builtins(planned.estimate),
            }
            for planned in steps
        ],
    }

"""`run --dry-run`: what would run, in order."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from agentrun.core.model import Json, Step, Workflow
from agentrun.report import words
from agentrun.report.result import json_text
from agentrun.report.screen import Screen

MAX_VALUE_LINES = 12


class Planned(Struct, frozen=True):
    """A step as it would run. Steps of one `wave` can run at the same time."""

    step: Step
    wave: int
    spec: Json


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


def _step(planned: Planned, screen: Screen) -> Iterator[str]:
    step = planned.step
    needs = f"  after {', '.join(step.needs)}" if step.needs else ""
    wave = screen.paint("dim", f"{planned.wave:>3}")
    yield f"{wave}  {screen.paint('bold', step.id)}  {step.kind}{screen.paint('dim', needs)}"
    for label, value in _facts(step):
        text = value if isinstance(value, str) else json_text(value)
        yield f"       {label}: {words.one_line(text)}"
    for label, value in _spec(planned.spec):
        yield from _value(label, value)


def _facts(step: Step) -> Iterator[tuple[str, Json]]:
    facts: list[tuple[str, Json]] = [
        ("if", step.if_),
        ("for each", step.for_each),
        ("until", step.until),
        ("attempts", step.retry.max_attempts if step.retry else None),
        ("timeout", words.duration(step.timeout_s) if step.timeout_s else None),
        ("fallbacks", ", ".join(way.kind for way in step.fallback) or None),
        ("with", step.with_),
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
                "id": planned.step.id,
                "kind": planned.step.kind,
                "wave": planned.wave,
                "needs": list(planned.step.needs),
                "if": planned.step.if_,
                "for_each": planned.step.for_each,
                "spec": planned.spec,
            }
            for planned in steps
        ],
    }

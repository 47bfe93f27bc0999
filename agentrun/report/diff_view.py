"""`inspect --diff`: what differs between two moments of a task, or between two tasks."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from agentrun.core import address
from agentrun.core.model import Json
from agentrun.core.state import StepState, TaskState
from agentrun.core.value import Items
from agentrun.report import words
from agentrun.report.changed import changed_lines
from agentrun.report.result import duration_of
from agentrun.report.screen import Screen

MAX_STEPS = 200
_FACTS = ("status", "attempts", "round", "alternative", "generation", "exit_code")


class Side(Struct, frozen=True):
    """One of the two: its name, its state, and how its values are read."""

    name: str
    state: TaskState
    inputs: Json
    output: Callable[[str], Json]


class Change(Struct, frozen=True):
    """One thing that differs. `where` is a step's address, or "" for the task."""

    where: str
    what: str
    old: Json
    new: Json


def changes(a: Side, b: Side) -> Iterator[Change]:
    """Yield what differs, the task first, then step by step."""
    for what in ("status", "workflow_sha256", "retries", "resumes", "tokens", "usd"):
        old, new = getattr(a.state, what), getattr(b.state, what)
        if old != new:
            yield Change("", what.replace("_", " "), old, new)
    yield from _inputs(a.inputs, b.inputs)
    for key in dict.fromkeys([*a.state.steps, *b.state.steps]):
        yield from _step(key, a, b)


def _inputs(old: Json, new: Json) -> Iterator[Change]:
    old, new = old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Change("", f"input {name}", old.get(name), new.get(name))


def _step(key: str, a: Side, b: Side) -> Iterator[Change]:
    old, new = a.state.step(key), b.state.step(key)
    if address.parent_loop(key) and old.status == new.status and old.output == new.output:
        return
    for what in _FACTS:
        if getattr(old, what) != getattr(new, what):
            yield Change(key, what.replace("_", " "), getattr(old, what), getattr(new, what))
    if _failure(old) != _failure(new):
        yield Change(key, "failure", _failure(old), _failure(new))
    if old.output != new.output and not isinstance(new.output or old.output, Items):
        was, now = a.output(key), b.output(key)
        if was != now:
            yield Change(key, "output", was, now)
    if abs(duration_of(old) - duration_of(new)) > 1.0:
        yield Change(key, "time", round(duration_of(old), 1), round(duration_of(new), 1))


def _failure(step: StepState) -> Json:
    failure = step.failure
    return None if failure is None else f"{failure.kind}: {words.one_line(failure.message)}"


def diff_lines(a: Side, b: Side, screen: Screen) -> Iterator[str]:
    """Yield the differences for people."""
    yield f"{screen.paint('red', '- ' + a.name)}"
    yield f"{screen.paint('green', '+ ' + b.name)}"
    where, shown = None, 0
    for change in changes(a, b):
        if change.where != where:
            where, shown = change.where, shown + 1
            if shown > MAX_STEPS:
                yield "… more steps differ; see all of them with --json"
                return
            yield screen.paint("bold", where or "task")
        for style, line in changed_lines(change.what, change.old, change.new):
            yield screen.paint(style, line)
    if where is None:
        yield "no difference"


def diff_object(a: Side, b: Side) -> dict[str, Json]:
    """Return the differences as data."""
    found = [
        {"step": c.where or None, "what": c.what, "old": c.old, "new": c.new} for c in changes(a, b)
    ]
    return {"a": a.name, "b": b.name, "changes": found}

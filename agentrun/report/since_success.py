"""What differs from the last time that a failed step succeeded: there the cause mostly lies.

Compares what both tasks recorded of what the step was given: its definition, the task's inputs, the
outputs above it, its item, and where agentrun ran. What nobody records (a file, a server, the time
of day) can't be in it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, to_builtins

from agentrun.core import address
from agentrun.core.model import Json, Step
from agentrun.core.state import TaskState
from agentrun.report import words
from agentrun.report.changed import changed_lines
from agentrun.report.screen import Style

MAX_UPSTREAM = 20
_NOT_WHAT_IT_DOES = frozenset({"id", "line", "content_hash", "name"})


class Given(Struct, frozen=True):
    """What one task gave a step. `step` is None where the definition can't be read any more."""

    state: TaskState
    step: Step | None
    inputs: Json
    item: Json
    output: Callable[[str], Json]


class Difference(Struct, frozen=True):
    """One thing that was otherwise."""

    what: str
    then: Json
    now: Json


class SinceSuccess(Struct, frozen=True):
    """The task in which the step last succeeded, when that was, and what is different now."""

    task_id: str
    ended_at: float
    differences: tuple[Difference, ...]


def since_success(key: str, then: Given, now: Given) -> SinceSuccess:
    """Compare what the step at `key` was given when it succeeded with what it was given now."""
    ended = then.state.step(key).ended_at
    found = tuple(_differences(key, then, now))
    return SinceSuccess(then.state.task_id, ended or then.state.updated_at, found)


def differing(old: Json, new: Json, name: str = "") -> Iterator[tuple[str, Json, Json]]:
    """Yield the smallest parts that differ, by their dotted names."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inner = name if key in {"step", "spec"} and not name else f"{name}.{key}".strip(".")
            yield from differing(old.get(key), new.get(key), inner)
    elif old != new:
        yield name, old, new


def _differences(key: str, then: Given, now: Given) -> Iterator[Difference]:
    if then.step is not None and now.step is not None:
        for name, was, is_ in differing(_written(then.step), _written(now.step)):
            yield Difference(f"the step's {name}", was, is_)
    for name, was, is_ in differing(then.inputs or {}, now.inputs or {}):
        yield Difference(f"input {name}", was, is_)
    if then.item != now.item:
        yield Difference("the item", then.item, now.item)
    for above in _above(key, now):
        was, is_ = then.output(above), now.output(above)
        if was != is_:
            yield Difference(f"output of {above}", was, is_)
    yield from _surroundings(then.state, now.state)


def _surroundings(then: TaskState, now: TaskState) -> Iterator[Difference]:
    facts: Sequence[tuple[str, Json, Json]] = (
        ("the folder it runs in", then.cwd, now.cwd),
        ("agentrun's version", then.version, now.version),
        ("the machine", then.holder and then.holder.host, now.holder and now.holder.host),
    )
    for what, was, is_ in facts:
        if was != is_:
            yield Difference(what, was, is_)


def _above(key: str, given: Given) -> list[str]:
    needs = given.step.needs if given.step is not None else ()
    scope = address.parent_scope(key)
    return [address.inside(scope, need) for need in needs[:MAX_UPSTREAM]]


def _written(step: Step) -> Json:
    return {k: v for k, v in to_builtins(step).items() if k not in _NOT_WHAT_IT_DOES}


def since_heading(since: SinceSuccess, now: float) -> str:
    """Say with what the comparison is, and how long ago that was."""
    ago = words.duration(max(0.0, now - since.ended_at))
    return f"since it last succeeded, in {since.task_id}, {ago} before"


def since_lines(since: SinceSuccess) -> Iterator[tuple[Style, str]]:
    """Yield the differences for people, each line after its style."""
    for each in since.differences:
        yield from changed_lines(each.what, each.then, each.now)
    if not since.differences:
        yield "", "  nothing that is recorded differs: look at what it reads, calls and waits for"

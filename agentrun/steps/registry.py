"""Where a step kind is found by its name. Imports a kind only when it is asked for."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from agentrun.steps.kind import StepKind

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

ENTRY_POINT_GROUP = "agentrun.steps"

_BUILT_IN = {
    "run": "agentrun.steps.run",
    "python": "agentrun.steps.python",
    "http": "agentrun.steps.http",
    "agent": "agentrun.steps.agent",
    "workflow": "agentrun.steps.workflow",
    "approval": "agentrun.steps.approval",
    "wait": "agentrun.steps.wait",
}


def built_in_names() -> tuple[str, ...]:
    """Return the names of the built-in kinds, without importing them."""
    return tuple(_BUILT_IN)


@cache
def third_party_names() -> tuple[str, ...]:
    """Return the names that installed packages add; a built-in name can't be taken over."""
    found = {entry.name for entry in _entry_points()}
    return tuple(sorted(found - _BUILT_IN.keys()))


@cache
def get(name: str) -> StepKind:
    """Return the kind of that name. Raises KeyError when there is none."""
    if module := _BUILT_IN.get(name):
        kind = import_module(module).KIND
    else:
        matches = _entry_points().select(name=name)
        if not matches:
            raise KeyError(name)
        kind = next(iter(matches)).load()
    if not isinstance(kind, StepKind):
        raise TypeError(f"the step kind {name!r} is not a StepKind but {type(kind).__name__}")
    return kind


def _entry_points() -> "EntryPoints":
    from importlib.metadata import entry_points  # 17 ms, for kinds of other packages alone

    return entry_points(group=ENTRY_POINT_GROUP)

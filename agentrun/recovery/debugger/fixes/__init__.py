"""The closed set of fixes, one file each. A fix that is not in `KINDS` can't be expressed.

A kind of fix says whether its parameters make sense for the incident (`problem`), how risky it is,
and what it changes: most change the next attempt through an `Adjustment`, which the journal shows
and which is taken back when the attempt fails; four change the course of the task instead
(`Course`). No fix loosens a check, changes `output:` or hides a failure.
"""

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Literal, Self

import msgspec
from msgspec import Struct, field

from agentrun.core.events import Adjustment
from agentrun.core.model import Json
from agentrun.recovery.debugger.incident import Incident

Risk = Literal["safe", "full"]
Course = Literal["attempt", "fallback", "rerun", "skip", "wait"]
MAX_TEXT = 4000


class Fix(Struct, frozen=True, omit_defaults=True):
    """A proposed fix. `reason` is for people."""

    type: str
    params: Mapping[str, Json] = field(default_factory=dict)
    reason: str = ""

    @property
    def id(self) -> str:
        """Return what tells this fix from others, whatever its reason."""
        text = msgspec.json.encode([self.type, dict(self.params)], order="sorted")
        return hashlib.sha256(text).hexdigest()[:12]

    def as_json(self) -> dict[str, Json]:
        """Return the fix as it stands in events."""
        return {"id": self.id, **msgspec.to_builtins(self)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Json]) -> Self:
        """Return the fix that stands in an event."""
        return cls(str(raw["type"]), raw.get("params") or {}, str(raw.get("reason", "")))


class FixKind(Struct, frozen=True):
    """A kind of fix. `problem` returns why the parameters don't fit, None when they do; `change`
    the keys of an `Adjustment` (recovery/adjust); `diff` the lines that show what changes. `risk`
    may depend on the parameters. `lasts` says whether what cured this incident may be right for the
    next one of its pattern, whose data may be others: a value in place of an expression may not.
    """

    name: str
    about: str
    problem: Callable[[Mapping[str, Json], Incident], str | None]
    diff: Callable[[Mapping[str, Json], Incident], str]
    risk: Risk | Callable[[Mapping[str, Json], Incident], Risk] = "safe"
    course: Course = "attempt"
    change: Callable[[Mapping[str, Json], Incident], Mapping[str, Json]] = lambda _p, _i: {}
    lasts: Callable[[Mapping[str, Json], Incident], bool] = lambda _p, _i: True
    params: Mapping[str, str] = field(default_factory=dict)


NAMES = (
    "retry_once",
    "set_timeout",
    "set_env",
    "set_parameter",
    "set_model",
    "lower_concurrency",
    "add_to_prompt",
    "clean_input",
    "run_remedy",
    "take_fallback",
    "rerun_upstream",
    "wait",
    "skip",
    "edit_file",
    "run_command",
)


def kind_of(name: str) -> FixKind | None:
    """Return the kind of fix of that name, or None when there is no such."""
    if name not in NAMES:
        return None
    kind = import_module(f"agentrun.recovery.debugger.fixes.{name}").KIND
    assert isinstance(kind, FixKind)
    return kind


def problem_of(fix: Fix, incident: Incident) -> str | None:
    """Return why a fix can't be applied to the incident, or None when it can."""
    kind = kind_of(fix.type)
    if kind is None:
        return f"there is no fix {fix.type!r}"
    unknown = set(fix.params) - set(kind.params)
    if unknown:
        return f"{fix.type} has no {', '.join(sorted(unknown))}"
    return kind.problem(fix.params, incident)


def risk_of(fix: Fix, incident: Incident) -> Risk:
    """Return which `autofix` the fix needs: `full` when it may change what is run."""
    kind = kind_of(fix.type)
    if kind is None:
        return "full"
    return kind.risk if isinstance(kind.risk, str) else kind.risk(fix.params, incident)


def lasts(fix: Fix, incident: Incident) -> bool:
    """Return whether a fix that cured an earlier incident of this pattern holds for this one."""
    kind = kind_of(fix.type)
    return kind is not None and kind.lasts(fix.params, incident)


def has_expression(value: Json) -> bool:
    """Return whether what the workflow declares is another in every run."""
    return "${{" in str(value)


def adjustments_of(fix: Fix, incident: Incident) -> tuple[Adjustment, ...]:
    """Return what the fix changes about the next attempt."""
    kind = kind_of(fix.type)
    assert kind is not None
    change = kind.change(fix.params, incident)
    return (Adjustment(f"fix_{fix.type}", change, fix.reason),) if change else ()


def diff_of(fix: Fix, incident: Incident) -> str:
    """Return the fix as lines of a diff."""
    kind = kind_of(fix.type)
    return "" if kind is None else kind.diff(fix.params, incident)


def expression_problem(value: Json) -> str | None:
    """Return why a value can't be set: what a fix sets is a value, never an expression."""
    return "an expression can't be set" if has_expression(value) else None


def text_problem(value: Json, name: str) -> str | None:
    """Return why a parameter is not a usable text."""
    if not isinstance(value, str) or not value.strip():
        return f"`{name}` must be a text"
    return f"`{name}` is longer than {MAX_TEXT} characters" if len(value) > MAX_TEXT else None

"""Change a parameter of the step: an entry of `with`, or a key of its kind that is no program text.

What is run (a command, a function, a URL's host, a prompt) is out of reach. A value that reaches
for another host or place than the one before, or for other code, is for `full`.
"""

from collections.abc import Mapping

import msgspec

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import (
    MAX_TEXT,
    FixKind,
    Risk,
    expression_problem,
    has_expression,
)
from agentrun.recovery.debugger.fixes.reach import reaches
from agentrun.recovery.debugger.incident import Incident

OPEN_KEYS: Mapping[str, frozenset[str]] = {
    "agent": frozenset({"max_turns", "max_tokens", "temperature"}),
    "http": frozenset({"max_bytes"}),
}
"""A kind's own keys that a fix may change. Not `expect`: it is a check, and no fix loosens one."""


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    name, value = params.get("name"), params.get("value")
    if not isinstance(name, str):
        return "`name` must be the name of a parameter"
    if len(msgspec.json.encode(value)) > MAX_TEXT:
        return "`value` is too large"
    if problem := expression_problem(value):
        return problem
    if name in OPEN_KEYS.get(incident.step.kind, ()):
        return None
    with_ = incident.step.with_
    if not isinstance(with_, Mapping) or name not in with_:
        known = ", ".join(with_) if isinstance(with_, Mapping) and with_ else "none"
        return f"the step has no parameter {name!r} that a fix may change; `with` has: {known}"
    return "it has this value already" if with_[name] == value else None


def _lasts(params: Mapping[str, Json], incident: Incident) -> bool:
    name, with_ = params.get("name"), incident.step.with_
    before = with_.get(name) if isinstance(with_, Mapping) else None
    return not has_expression(before if before is not None else incident.step.spec.get(str(name)))


def _risk(params: Mapping[str, Json], incident: Incident) -> Risk:
    with_ = incident.step.with_
    before = with_.get(params.get("name")) if isinstance(with_, Mapping) else None
    return "full" if reaches(str(params.get("name")), before, params.get("value")) else "safe"


def _change(params: Mapping[str, Json], incident: Incident) -> Mapping[str, Json]:
    name = str(params["name"])
    where = "spec" if name in OPEN_KEYS.get(incident.step.kind, ()) else "with"
    return {where: {name: params["value"]}}


def _diff(params: Mapping[str, Json], incident: Incident) -> str:
    name = str(params["name"])
    with_ = incident.step.with_
    before = with_.get(name) if isinstance(with_, Mapping) else incident.step.spec.get(name)
    return f"- {name}: {before!r}\n+ {name}: {params['value']!r}"


KIND = FixKind(
    "set_parameter",
    "change a parameter of the step",
    problem=_problem,
    diff=_diff,
    risk=_risk,
    change=_change,
    lasts=_lasts,
    params={"name": "a key of `with`", "value": "its value, any JSON"},
)

"""Give the attempt more time."""

from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind
from agentrun.recovery.debugger.incident import Incident

MOST_S = 24 * 3600
KEYS = ("timeout_s", "idle_timeout_s")


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    seconds, which = params.get("seconds"), params.get("which", "timeout_s")
    if which not in KEYS:
        return f"`which` must be one of {', '.join(KEYS)}"
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return "`seconds` must be a number"
    before = incident.limit(which)
    if before is None:
        return f"the step has no {which.removesuffix('_s')} to raise"
    return None if before < seconds <= MOST_S else f"must be more than {before:g}, at most {MOST_S}"


def _which(params: Mapping[str, Json]) -> str:
    return str(params.get("which", "timeout_s"))


def _diff(params: Mapping[str, Json], incident: Incident) -> str:
    which = _which(params)
    name = which.removesuffix("_s")
    return f"- {name}: {incident.limit(which):g}s\n+ {name}: {params['seconds']:g}s"


KIND = FixKind(
    "set_timeout",
    "raise the step's time limit",
    problem=_problem,
    diff=_diff,
    change=lambda params, _incident: {_which(params): params["seconds"]},
    params={"seconds": "the new limit in seconds", "which": "timeout_s or idle_timeout_s"},
)

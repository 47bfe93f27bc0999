"""Wait a while, then try again: for what time cures."""

from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind
from agentrun.recovery.debugger.incident import Incident

MOST_S = 600


def _problem(params: Mapping[str, Json], _incident: Incident) -> str | None:
    seconds = params.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return "`seconds` must be a number"
    return None if 0 < seconds <= MOST_S else f"`seconds` must be up to {MOST_S}"


KIND = FixKind(
    "wait",
    "wait, then try again",
    problem=_problem,
    diff=lambda params, _incident: f"+ wait {params['seconds']:g} s, then the same again",
    course="wait",
    params={"seconds": "how long"},
)

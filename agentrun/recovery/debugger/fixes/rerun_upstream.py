"""Run an earlier step again, whose output is to blame; it and what depends on it run anew."""

from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind
from agentrun.recovery.debugger.incident import Incident


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    wanted = str(params.get("step"))
    if wanted in incident.repeatable:
        return None
    if wanted in incident.upstream:
        return "it, or what ran because of it, is not idempotent"
    known = ", ".join(incident.upstream) or "none"
    return f"`step` must be one that this step needs: {known}"


KIND = FixKind(
    "rerun_upstream",
    "run an earlier step again",
    problem=_problem,
    diff=lambda params, _incident: f"+ run {params['step']} again, then what depends on it",
    course="rerun",
    params={"step": "the id of a step that this one needs"},
)

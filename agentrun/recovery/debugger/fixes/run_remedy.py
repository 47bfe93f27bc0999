"""Run a remedy that the workflow declares, before the next attempt."""

from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind
from agentrun.recovery.debugger.incident import Incident


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    declared = [remedy.run for remedy in incident.step.remedies]
    if params.get("run") in declared:
        return None
    return f"only a declared remedy can be run; there are {len(declared)}"


KIND = FixKind(
    "run_remedy",
    "run a remedy that the workflow declares",
    problem=_problem,
    diff=lambda params, _incident: f"+ before the attempt: {params['run']}",
    change=lambda params, _incident: {"run": params["run"]},
    params={"run": "the remedy's command, letter by letter"},
)

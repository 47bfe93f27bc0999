"""Let another model do it: one that the workflow names somewhere."""

from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind
from agentrun.recovery.debugger.incident import Incident


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    model, declared = params.get("model"), incident.step.spec.get("model")
    if incident.step.kind != "agent":
        return "the step is no agent"
    if not isinstance(model, str) or not isinstance(declared, list) or model not in declared:
        return "only a model of the step's own list can be taken"
    return None


KIND = FixKind(
    "set_model",
    "take another model of the step's list",
    problem=_problem,
    diff=lambda params, incident: (
        f"- model: {incident.step.spec.get('model')}\n+ model: {params['model']}"
    ),
    change=lambda params, _incident: {"model": params["model"]},
    params={"model": "one of the step's own list"},
)

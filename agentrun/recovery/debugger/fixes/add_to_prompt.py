"""Tell the agent something it did not know. What sends it somewhere, or has it run something, is
for `full`: the hint may come from an agent that believed what a log told it.
"""

from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind, has_expression, text_problem
from agentrun.recovery.debugger.fixes.reach import gives_orders
from agentrun.recovery.debugger.incident import Incident


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    if incident.step.kind != "agent":
        return "the step has no prompt"
    return text_problem(params.get("text"), "text")


def _lasts(_params: Mapping[str, Json], incident: Incident) -> bool:
    spec = incident.step.spec
    return spec.get("prompt_file") is None and not has_expression(dict(spec))


KIND = FixKind(
    "add_to_prompt",
    "add a hint to the agent's prompt",
    problem=_problem,
    diff=lambda params, _incident: "\n".join(
        f"+ {line}" for line in str(params["text"]).split("\n")
    ),
    risk=lambda params, _incident: "full" if gives_orders(str(params["text"])) else "safe",
    change=lambda params, _incident: {"prompt_addition": params["text"]},
    lasts=_lasts,
    params={"text": "what the agent should know"},
)

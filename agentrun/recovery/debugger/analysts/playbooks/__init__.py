"""Playbooks: causes that the evidence proves, and their fixes; one file per class of incident.

Each playbook is a pure function `incident -> Diagnosis | None`. Text of the failure is only ever
matched and quoted; what a fix then sets comes from the workflow (its inputs, its declared values,
files and remedies), is a number, or stands in this code.
"""

from collections.abc import Iterator, Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.incident import Incident

MAX_EVIDENCE = 300


def said(cause: str, confidence: float, evidence: str, *fixes: Fix) -> Diagnosis:
    """Return a diagnosis of the rules."""
    return Diagnosis(cause, "rules", confidence, evidence[:MAX_EVIDENCE], fixes)


def declared(incident: Incident) -> Iterator[tuple[str, str, Json]]:
    """Yield the plain values that the step declares: (fix, name, value)."""
    with_ = incident.step.with_
    for name, value in with_.items() if isinstance(with_, Mapping) else ():
        if isinstance(value, str | int | float) and "${{" not in str(value):
            yield "set_parameter", name, value
    for name, text in incident.step.env.items():
        if "${{" not in text:
            yield "set_env", name, text


def lines_of(incident: Incident) -> Iterator[str]:
    """Yield the lines that the failure said, each once."""
    yield from dict.fromkeys(incident.said.splitlines())


def uses(incident: Incident, step_id: str) -> bool:
    """Return whether the step's definition names that earlier step."""
    step = incident.step
    return f"steps.{step_id}" in str([step.with_, step.stdin, dict(step.spec), dict(step.env)])

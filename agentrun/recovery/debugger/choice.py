"""Which fix is applied, if any: the policy `autofix` and the bounds of a task.

| autofix | what is applied                                             |
|---------|-------------------------------------------------------------|
| off     | nothing, nothing is proposed                                |
| suggest | nothing; everything is proposed                             |
| safe    | fixes of the closed set that can't run anything new         |
| full    | all of them: commands and edits of files too                |

Never the same fix twice for the same pattern in a task, never more than `max_fixes` for a step, and
nothing from a diagnosis below MIN_CONFIDENCE.
"""

from collections.abc import Sequence

from msgspec import Struct

from agentrun.core.model import DebuggerPolicy
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix, kind_of, problem_of, risk_of
from agentrun.recovery.debugger.incident import Incident

MIN_CONFIDENCE = 0.3


class Chosen(Struct, frozen=True):
    """The fix to apply, and the diagnosis it comes from."""

    fix: Fix
    diagnosis: Diagnosis


def choose(
    incident: Incident, diagnoses: Sequence[Diagnosis], policy: DebuggerPolicy
) -> Chosen | None:
    """Return the first fix that policy and bounds allow; None: a person has to decide."""
    if policy.autofix not in {"safe", "full"} or len(incident.state.fixes) >= policy.max_fixes:
        return None
    for diagnosis in diagnoses:
        if diagnosis.confidence < MIN_CONFIDENCE:
            continue
        for fix in diagnosis.fixes:
            if _allowed(fix, incident, policy):
                return Chosen(fix, diagnosis)
    return None


def _allowed(fix: Fix, incident: Incident, policy: DebuggerPolicy) -> bool:
    if kind_of(fix.type) is None or incident.tried(fix.id) or problem_of(fix, incident) is not None:
        return False
    if not incident.step.idempotent and incident.failure.took_effect:
        return False
    return risk_of(fix, incident) == "safe" or policy.autofix == "full"


def proposals(
    incident: Incident,
    diagnoses: Sequence[Diagnosis],
    policy: DebuggerPolicy = DebuggerPolicy(autofix="suggest"),  # noqa: B008 - it is frozen
) -> list[Fix]:
    """Return every fix that could be applied by a person, best first, each once."""
    if policy.autofix == "off":
        return []
    found: dict[str, Fix] = {}
    for diagnosis in diagnoses:
        for fix in diagnosis.fixes:
            if problem_of(fix, incident) is None:
                found.setdefault(fix.id, fix)
    return list(found.values())

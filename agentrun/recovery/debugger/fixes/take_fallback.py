"""Take the next alternative way that the workflow declares."""

from agentrun.recovery.debugger.fixes import FixKind

KIND = FixKind(
    "take_fallback",
    "go on with the step's next fallback",
    problem=lambda _params, incident: (
        None
        if incident.state.alternative < len(incident.step.fallback)
        else "there is no fallback left"
    ),
    diff=lambda _params, incident: f"+ fallback {incident.state.alternative + 1} instead",
    course="fallback",
)

"""Leave the step out: only where the workflow allows it to fail."""

from agentrun.recovery.debugger.fixes import FixKind

KIND = FixKind(
    "skip",
    "leave the step out",
    problem=lambda _params, incident: (
        None
        if incident.step.continue_on_error
        else "the step must not be left out: it has no `continue_on_error`"
    ),
    diff=lambda _params, incident: f"- {incident.key}",
    course="skip",
)

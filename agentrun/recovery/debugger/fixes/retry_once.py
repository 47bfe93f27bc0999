"""Run the step once more as it is: for a failure that comes and goes."""

from agentrun.recovery.debugger.fixes import FixKind

KIND = FixKind(
    "retry_once",
    "run the step once more, unchanged",
    problem=lambda _params, incident: (
        None if incident.step.idempotent else "the step is not idempotent"
    ),
    diff=lambda _params, incident: f"  {incident.key}: the same again, once",
)

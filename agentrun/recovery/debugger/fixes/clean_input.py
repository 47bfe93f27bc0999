"""Clean the data the step is given: byte-order marks, control characters, broken UTF-8."""

from agentrun.recovery.debugger.fixes import FixKind

KIND = FixKind(
    "clean_input",
    "take what no parser wants out of the step's input",
    problem=lambda _params, incident: (
        "the step has no `stdin` and no `with`"
        if incident.step.stdin is None and incident.step.with_ is None
        else None
    ),
    diff=lambda _params, _incident: "+ input without byte-order marks and control characters",
    change=lambda _params, _incident: {"clean_input": True},
)

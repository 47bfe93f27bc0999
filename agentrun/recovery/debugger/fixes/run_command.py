"""Run a command before the next attempt: free-form shell, `full` only."""

from agentrun.recovery.debugger.fixes import FixKind, text_problem

KIND = FixKind(
    "run_command",
    "run a shell command before the next attempt",
    problem=lambda params, _incident: text_problem(params.get("command"), "command"),
    diff=lambda params, _incident: f"+ before the attempt: {params['command']}",
    risk="full",
    change=lambda params, _incident: {"run": params["command"]},
    params={"command": "a shell command"},
)

"""Set an environment variable for the step. Variables that decide what is run are out of reach."""

import re
from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind, text_problem
from agentrun.recovery.debugger.incident import Incident

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DECIDES_WHAT_RUNS = re.compile(
    r"PATH|HOME|SHELL|IFS|ENV|BASH_.*|LD_.*|DYLD_.*|PYTHON(?!UTF8|IOENCODING|UNBUFFERED).*|PERL.*"
    r"|RUBY.*|NODE_.*|JAVA_.*|_JAVA.*|GIT_(?!TERMINAL_PROMPT).*|SSH_.*|EDITOR|VISUAL|PAGER|PROMPT.*"
    r"|AGENTRUN_.*|.*_?(?:PROXY|COMMAND|OPTIONS|OPTS|ARGS|URL|HOST|ENDPOINT)"
    r"|.*(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS).*",
    re.IGNORECASE,
)


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    name, value = params.get("name"), params.get("value")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "`name` must be the name of a variable"
    declared = name in incident.step.env
    if _DECIDES_WHAT_RUNS.fullmatch(name) and not declared:
        return f"{name} may decide what is run or whom it talks to: a fix must not set it"
    if problem := text_problem(value, "value"):
        return problem
    return "it has this value already" if incident.step.env.get(name) == value else None


def _diff(params: Mapping[str, Json], incident: Incident) -> str:
    name = str(params["name"])
    before = f"- env.{name}: {incident.step.env[name]}\n" if name in incident.step.env else ""
    return f"{before}+ env.{name}: {params['value']}"


KIND = FixKind(
    "set_env",
    "set an environment variable for the step",
    problem=_problem,
    diff=_diff,
    change=lambda params, _incident: {"env": {str(params["name"]): str(params["value"])}},
    params={"name": "the variable", "value": "its value"},
)

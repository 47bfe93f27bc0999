"""Set an environment variable for the step.

Safe are variables that the workflow knows (declared by the step, or named like an input) and a few
that only say how to print; all others may decide what is run, and are for `full`. So is a variable
that the step runs (`eval "$X"`, `$X --flag`, `python3 "$X"`) or that names other code or another
place (`PACKAGE`, `BRANCH`). Credentials are never set.
"""

import re
from collections.abc import Mapping

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import (
    FixKind,
    Risk,
    expression_problem,
    has_expression,
    text_problem,
)
from agentrun.recovery.debugger.fixes.reach import reaches
from agentrun.recovery.debugger.incident import Incident

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CREDENTIAL = re.compile(
    r"AGENTRUN_.*|.*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL).*", re.IGNORECASE
)
_DECIDES_WHAT_RUNS = re.compile(
    r"PATH|.*_?PATH|HOME|SHELL|.*SHELLOPTS|IFS|ENV|PS4|BASH_.*|LD_.*|DYLD_.*|PYTHON.*|PERL.*|RUBY.*"
    r"|NODE_.*|.*JAVA_.*|GIT_.*|SSH_.*|.*EDITOR|VISUAL|.*PAGER|PROMPT.*|.*(?:FLAGS|WRAPPER)|CC|CXX"
    r"|LESSOPEN|ZDOTDIR|.*_?(?:PROXY|COMMAND|CMD|OPTIONS|OPTS|ARGS|URL|URI|HOST|ENDPOINT|REGISTRY)"
    r"|XDG_.*|.*CONFIG.*|.*_HOME",
    re.IGNORECASE,
)
_RUNS = (
    r"(?:(?:^|[;&|(`{]|\b(?:then|do|else|if|while|exec)\s|!\s)\s*(?:\.\s+)?"
    r"|\b(?:eval|source|xargs)\b[^\n;|&]*|\s-c\s+"
    r"|\b(?:python3?|node|ruby|perl|(?:ba|z|da)?sh|sudo|env|nohup|time)\s+(?:-\S+\s+)*)"
    r"[\"']*\$\{?%s\b"
)
"""Where a shell runs a variable: as a command, or as what a command is told to run."""
HARMLESS = frozenset(
    {"PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "LANG", "LC_ALL", "LC_CTYPE", "LANGUAGE"}
    | {"TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI", "DEBIAN_FRONTEND"}
    | {"GIT_TERMINAL_PROMPT"}
)
"""How a program prints, and that nobody is there to be asked."""


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    name, value = params.get("name"), params.get("value")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "`name` must be the name of a variable"
    if _CREDENTIAL.fullmatch(name):
        return f"{name} may be a credential: a fix must not set it"
    if problem := text_problem(value, "value") or expression_problem(value):
        return problem
    return "it has this value already" if incident.step.env.get(name) == value else None


def _risk(params: Mapping[str, Json], incident: Incident) -> Risk:
    name, value = str(params.get("name")), params.get("value")
    if name in HARMLESS:
        return "safe"
    if _DECIDES_WHAT_RUNS.fullmatch(name):
        return "full"
    if any(key.upper() == name.upper() and str(v) == value for key, v in incident.inputs.items()):
        return "safe"
    declared = incident.step.env.get(name)
    if declared is None or reaches(name, declared, value) or _is_run(name, incident):
        return "full"
    return "safe"


def _lasts(params: Mapping[str, Json], incident: Incident) -> bool:
    name, value = str(params.get("name")), params.get("value")
    declared = incident.step.env.get(name)
    if declared is not None:
        return not has_expression(declared)
    named = [str(v) for key, v in incident.inputs.items() if key.upper() == name.upper()]
    return not named or value in named


def _is_run(name: str, incident: Incident) -> bool:
    """Return whether the step, a check or a remedy runs what the variable holds."""
    step = incident.step
    texts = [*step.spec.values(), *step.checks, *(remedy.run for remedy in step.remedies)]
    found = re.compile(_RUNS % re.escape(name), re.MULTILINE)
    return any(found.search(text) for text in texts if isinstance(text, str))


def _diff(params: Mapping[str, Json], incident: Incident) -> str:
    name = str(params["name"])
    before = f"- env.{name}: {incident.step.env[name]}\n" if name in incident.step.env else ""
    return f"{before}+ env.{name}: {params['value']}"


KIND = FixKind(
    "set_env",
    "set an environment variable for the step",
    problem=_problem,
    diff=_diff,
    risk=_risk,
    change=lambda params, _incident: {"env": {str(params["name"]): str(params["value"])}},
    lasts=_lasts,
    params={"name": "the variable", "value": "its value"},
)

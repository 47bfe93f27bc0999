"""Replace a text in a file of the step's folder, once, exactly: `full` only.

The change is made by the attempt itself before the step runs and can be undone: the file as it was
is kept in the step's state folder.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from agentrun.core.model import Json
from agentrun.recovery.debugger.fixes import FixKind, text_problem
from agentrun.recovery.debugger.incident import Incident


def _problem(params: Mapping[str, Json], incident: Incident) -> str | None:
    path = params.get("path")
    if not isinstance(path, str) or not path or "\0" in path:
        return "`path` must name a file"
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or ".git" in pure.parts:
        return "`path` must lie below the step's folder, and not in .git"
    if any(pure.name in check for check in incident.step.checks):
        return "a check names this file: no fix loosens a check"
    if problem := text_problem(params.get("old"), "old") or text_problem(params.get("new"), "new"):
        return problem
    return "`new` is `old`" if params["old"] == params["new"] else None


def _diff(params: Mapping[str, Json], _incident: Incident) -> str:
    old = "\n".join(f"- {line}" for line in str(params["old"]).split("\n"))
    new = "\n".join(f"+ {line}" for line in str(params["new"]).split("\n"))
    return f"--- {params['path']}\n{old}\n{new}"


KIND = FixKind(
    "edit_file",
    "replace a text in a file of the workspace",
    problem=_problem,
    diff=_diff,
    risk="full",
    change=lambda params, _incident: {"edit": dict(params)},
    params={
        "path": "relative to the step's folder",
        "old": "must occur once",
        "new": "the text in its place, not empty",
    },
)

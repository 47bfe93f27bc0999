"""Collects what is wrong with one file, each finding at its place.

Owns the step from a path in the data (`("steps", 3, "retry", "delay")`) to line and column, and
the wording of Pydantic's complaints. Checks only ever say `findings.add(path, ...)`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from agentrun.workflow.hints import RETRY_KEYS_ELSEWHERE, did_you_mean
from agentrun.workflow.problems import Problem
from agentrun.workflow.schema_types import type_name
from agentrun.workflow.yaml_source import Path, Source

Severity = Literal["error", "warning"]


class Findings:
    """The problems of one file so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.seen: set[Path] = set()
        self.booleans: set[Path] = set()
        """Paths where a boolean is expected, so that `yes` and `off` are no surprise."""

    def add(
        self,
        path: Path,
        message: str,
        hint: str = "",
        *,
        of_key: bool = False,
        within: str = "",
        severity: Severity = "error",
    ) -> None:
        """Note a problem at the value (or key) at a path, or at a text within that value."""
        if within:
            line, column = self.source.place_of(path, within)
        else:
            line, column = self.source.place(path, of_key=of_key)
        self.seen.add(path)
        source_line = self.source.line_text(line)
        file = self.source.file
        problem = Problem(file, line, column, source_line, message, hint, severity)
        if problem not in self.problems:
            self.problems.append(problem)

    def warn(self, path: Path, message: str, hint: str = "", *, within: str = "") -> None:
        """Note something that is allowed but likely a mistake."""
        self.add(path, message, hint, within=within, severity="warning")

    def has_errors(self) -> bool:
        """Say whether anything was found that forbids running the file."""
        return any(each.severity == "error" for each in self.problems)

    def add_surprises(self) -> None:
        """Refuse every scalar that YAML readers disagree about, except booleans in their place."""
        for path, node in self.source.surprises():
            if path not in self.booleans:
                hint = f'write "{node.raw}" for the text'
                if isinstance(node.value, bool):
                    hint += f", or {'true' if node.value else 'false'}"
                self.seen.add(path)
                line_text = self.source.line_text(node.line)
                place = (self.source.file, node.line, node.column, line_text)
                self.problems = [
                    p for p in self.problems if (p.file, p.line, p.column, p.source_line) != place
                ]
                self.problems.append(Problem(*place, node.surprise, hint))

    def add_pydantic(
        self,
        prefix: Path,
        errors: Iterable[Mapping[str, Any]],
        known: Iterable[str] = (),
        elsewhere: dict[str, str] | None = None,
    ) -> None:
        """Note the errors of a model that was validated at `prefix`."""
        for error in errors:
            path = (*prefix, *(part for part in error["loc"] if part != "[key]"))
            at_key = error["type"] in ("extra_forbidden", "missing") or "[key]" in error["loc"]
            message, hint = worded(error, path)
            if error["type"] == "extra_forbidden":
                names = elsewhere
                if len(path) > 1 and path[-2] == "retry":
                    names = RETRY_KEYS_ELSEWHERE
                hint = did_you_mean(str(path[-1]), known_at(error) or known, names)
            if error["type"] == "missing":
                self.add(path[:-1], message, hint)
            else:
                self.add(path, message, hint, of_key=at_key)


def known_at(error: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys known in the mapping that holds an unknown one."""
    from agentrun.workflow import schema

    models: dict[str, type[schema.Border]] = {
        "retry": schema.RetryModel,
        "match": schema.MatchModel,
        "budget": schema.BudgetModel,
        "debugger": schema.DebuggerModel,
        "inputs": schema.InputModel,
        "limits": schema.LimitModel,
        "breakers": schema.BreakerModel,
        "remedies": schema.RemedyModel,
        "notify": schema.NotifyModel,
    }
    for part in reversed(error["loc"][:-1]):
        if (model := models.get(str(part))) is not None:
            return tuple(each.alias or name for name, each in model.model_fields.items())
    return ()


def worded(error: Mapping[str, Any], path: Path) -> tuple[str, str]:
    """Return message and hint for one Pydantic error."""
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "the file")
    value, context = error.get("input"), error.get("ctx", {})
    what = _EXPECTED.get(error["type"])
    if what is not None:
        hint = ""
        if isinstance(value, str) and "${{" in value:
            hint = "an expression can't stand here: this is read before anything runs"
        if key == "retry" and isinstance(value, int):
            hint = f"write `retry: {{max_attempts: {value}}}`"
        return f"`{key}` must be {what}, not {type_name(value)}", hint
    match error["type"]:
        case "value_error":
            return f"`{key}`: {context['error']}", ""
        case "extra_forbidden":
            return f"unknown key `{path[-1]}`", ""
        case "missing":
            return f"`{path[-1]}` is missing", ""
        case "literal_error":
            expected = context["expected"].replace("'", "`").replace(" or ", ", ")
            near = did_you_mean(str(value), [each.strip("` ") for each in expected.split(",")])
            return (
                f"`{key}` must be one of {expected}, not `{value}`",
                near if "mean" in near else "",
            )
        case "too_short" | "string_too_short":
            return f"`{key}` is empty", ""
        case "greater_than_equal":
            hint = "it counts the first attempt; 1 means no retry" if key == "max_attempts" else ""
            return f"`{key}` must be at least {context['ge']}, not {value}", hint
        case "greater_than":
            return f"`{key}` must be more than {context['gt']}", ""
        case "less_than_equal":
            return f"`{key}` must be at most {context['le']}, not {value}", ""
        case "too_long" | "string_too_long":
            return f"`{key}` is too long: at most {context['max_length']}", ""
    return f"`{key}`: {str(error['msg'])[:200]}", ""


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

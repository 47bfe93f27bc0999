"""The inputs of a workflow: given values checked against what it declares."""

from collections.abc import Mapping

import msgspec

from agentrun.core.model import Input, Json
from agentrun.workflow.inputs import misfit

_TRUE, _FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}


class InputProblem(Exception):
    """The given inputs do not fit; the text lists every problem."""


def checked_inputs(declared: Mapping[str, Input], given: Mapping[str, Json]) -> dict[str, Json]:
    """Return all inputs, defaults filled in. Raises InputProblem that tells all that is wrong."""
    problems = [_unknown(name, declared) for name in given if name not in declared]
    found: dict[str, Json] = {}
    for name, spec in declared.items():
        if name in given:
            problem = _said(name, misfit(spec, given[name]))
            found[name] = given[name]
        elif spec.required:
            problem = f"`{name}` is missing ({spec.type}): give it with -i {name}=..."
        else:
            problem, found[name] = None, spec.default
        if problem:
            problems.append(problem)
    if problems:
        raise InputProblem("; ".join(problems))
    return found


def typed(declared: Mapping[str, Input], texts: Mapping[str, str]) -> dict[str, Json]:
    """Return command-line texts (`-i k=v`) as values of their declared types.

    Raises InputProblem that tells every text that does not fit.
    """
    found: dict[str, Json] = {}
    problems: list[str] = []
    for name, text in texts.items():
        spec = declared.get(name)
        try:
            text.encode()
            found[name] = text if spec is None else _typed(spec, text)
        except UnicodeEncodeError:
            problems.append(f"`{name}` must be UTF-8, not {text!r}")
        except ValueError:
            assert spec is not None
            problems.append(f"`{name}` must be of type {spec.type}, not {text!r}")
    if problems:
        raise InputProblem("; ".join(problems))
    return found


def _typed(spec: Input, text: str) -> Json:
    match spec.type:
        case "string":
            return text
        case "boolean":
            if text.lower() in _TRUE:
                return True
            if text.lower() in _FALSE:
                return False
            raise ValueError(text)
        case _:
            value = msgspec.json.decode(text)
            if misfit(spec, value):
                raise ValueError(text)
            return value


def _unknown(name: str, declared: Mapping[str, Input]) -> str:
    import difflib

    near = difflib.get_close_matches(name, declared, n=1)
    if near:
        return f"there is no input `{name}`: did you mean `{near[0]}`?"
    known = ", ".join(declared) or "none"
    return f"there is no input `{name}`; the workflow has: {known}"


def _said(name: str, problem: str) -> str | None:
    return f"`{name}` {problem}" if problem else None

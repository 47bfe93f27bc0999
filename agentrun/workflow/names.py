"""Checks what expressions refer to: known names, known inputs, and steps that are upstream.

Owns the table of which name may stand where. Every complaint names the expression and stands at
its place in the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentrun.workflow.expressions import (
    FUNCTIONS,
    ExpressionError,
    Reference,
    expressions_in,
    references_of,
    unwrapped,
)
from agentrun.workflow.findings import Findings
from agentrun.workflow.hints import FIELDS_ELSEWHERE, NAMES_ELSEWHERE, did_you_mean
from agentrun.workflow.order import Ancestors
from agentrun.workflow.yaml_source import Path

STEP_FIELDS = (
    "output", "status", "exit_code", "attempts", "error", "usage", "session", "headers", "patch",
    "worktree", "denials",
)  # fmt: skip
EVERYWHERE = frozenset({"inputs", "steps", "env", "task"})
IN_ATTEMPT = EVERYWHERE | {"attempt", "last_error"}
AFTERWARDS = IN_ATTEMPT | {"output", "exit_code", "usage"}
_CONSTANTS = frozenset({"true", "false", "none", "True", "False", "None", "range", "len"})
_FIELDS_OF = {"task": ("id",), "attempt": ("number", "key")}
_WHERE = {
    "output": "only in `until` and `checks`, where it is the step's own",
    "exit_code": "only in `until` and `checks`, where it is the step's own",
    "usage": "only in `until` and `checks`; elsewhere `steps.<id>.usage`",
    "index": "only inside a step with `for_each`",
    "item": "only inside a step with `for_each`",
    "attempt": "only inside a step",
    "last_error": "only inside a step",
    "steps": "only in steps and outputs",
}


@dataclass(frozen=True, slots=True)
class World:
    """What the file defines: inputs and steps with their kinds, and who waits for whom."""

    inputs: Mapping[str, Any]
    kinds: Mapping[str, str]
    ancestors: Ancestors
    built_in: frozenset[str]
    used_inputs: set[str]


@dataclass(frozen=True, slots=True)
class Spot:
    """A value to check: where it is, which names it may use, and in which step it stands."""

    path: Path
    value: Any
    names: frozenset[str]
    step: str | None = None
    condition: bool = False


def check_spot(spot: Spot, world: World, findings: Findings) -> None:
    """Note every expression in a value that can't be read or refers to what is not there."""
    for path, text in _texts(spot.path, spot.value):
        if not spot.condition and "${{" not in text:
            continue
        try:
            sources = [unwrapped(text)] if spot.condition else list(expressions_in(text))
        except ExpressionError as error:
            findings.add(path, error.message, error.hint, within="${{" if "${{" in text else "")
            continue
        for source in sources:
            _check_expression(path, source, spot, world, findings)


def check_references(
    references: Iterable[Reference], about: str, spot: Spot, world: World, findings: Findings
) -> None:
    """Note references, found in a file that the spot names, to what is not there."""
    for reference in references:
        message, hint = _complaint(reference, spot, world)
        if message:
            findings.add(spot.path, f"in `{about}`: {message}", hint)


def _texts(path: Path, value: Any) -> Iterable[tuple[Path, str]]:
    """Yield every text in a value that holds an expression, and the value itself if it is text."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts((*path, key), each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _texts((*path, index), each)


def _check_expression(
    path: Path, source: str, spot: Spot, world: World, findings: Findings
) -> None:
    try:
        found = references_of(source)
    except ExpressionError as error:
        findings.add(path, error.message, error.hint, within=source.split("\n", maxsplit=1)[0])
        return
    for reference in found:
        message, hint = _complaint(reference, spot, world)
        if message:
            within = reference.name + "".join(f".{part}" for part in reference.path[:1])
            first = source.split("\n", 1)[0]
            findings.add(path, message, hint, within=within if within in first else first)


def _complaint(reference: Reference, spot: Spot, world: World) -> tuple[str, str]:
    name, path = reference.name, reference.path
    if reference.call and name in FUNCTIONS:
        return _complaint_of_call(reference, spot, world)
    if name in _CONSTANTS or (name in FUNCTIONS and name in spot.names):
        return "", ""
    if name not in spot.names:
        where = _WHERE.get(name)
        if where:
            return f"`{name}` has no meaning here", where
        known = sorted(spot.names)
        hint = did_you_mean(name, known, NAMES_ELSEWHERE)
        if name in world.kinds:
            hint = f"did you mean `steps.{name}.output`?"
        elif name in world.inputs:
            hint = f"did you mean `inputs.{name}`?"
        return f"unknown name `{name}`", hint
    if name == "inputs":
        return _complaint_of_input(path, world)
    if name == "steps":
        return _complaint_of_step(reference, spot, world)
    if name in _FIELDS_OF and (not path or path[0] not in _FIELDS_OF[name]):
        hint = " or ".join(f"`{name}.{each}`" for each in _FIELDS_OF[name])
        return f"`{reference}` does not exist", f"write {hint}"
    return "", ""


def _complaint_of_call(reference: Reference, spot: Spot, world: World) -> tuple[str, str]:
    name, arguments = reference.name, reference.path
    if name == "always":
        return ("", "") if not arguments else ("`always()` takes no argument", "")
    if reference.dynamic or len(arguments) != 1 or not isinstance(arguments[0], str):
        return f"`{name}(...)` takes the id of one step", f"write `{name}('build')`"
    return _upstream(arguments[0], spot, world)


def _complaint_of_input(path: tuple[str | int, ...], world: World) -> tuple[str, str]:
    if not path:
        world.used_inputs.update(world.inputs)
        return "", ""
    world.used_inputs.add(str(path[0]))
    if path[0] in world.inputs:
        return "", ""
    message = f"there is no input `{path[0]}`"
    hint = did_you_mean(str(path[0]), world.inputs)
    return message, hint or "declare it under `inputs`"


def _complaint_of_step(reference: Reference, spot: Spot, world: World) -> tuple[str, str]:
    path = reference.path
    if not path:
        return "`steps` must be followed by the id of a step", "write `steps.<id>.output`"
    message, hint = _upstream(str(path[0]), spot, world)
    if message:
        return message, hint
    step = str(path[0])
    if len(path) == 1 and not reference.dynamic:
        return f"`steps.{step}` is the step, not a value", f"write `steps.{step}.output`"
    if len(path) > 1 and world.kinds[step] in world.built_in and path[1] not in STEP_FIELDS:
        if isinstance(path[1], int):
            return f"`steps.{step}` is not a list", f"write `steps.{step}.output[{path[1]}]`"
        hint = did_you_mean(path[1], STEP_FIELDS, FIELDS_ELSEWHERE)
        if "mean" not in hint:
            hint = f"did you mean `steps.{step}.output.{path[1]}`?"
        return f"a step has no `{path[1]}`", hint
    return "", ""


def _upstream(step: str, spot: Spot, world: World) -> tuple[str, str]:
    """Say what is wrong with a reference to a step from where it stands."""
    if step not in world.kinds:
        return f"there is no step `{step}`", did_you_mean(step, world.kinds)
    if spot.step is None:
        return "", ""
    if step == spot.step:
        return (
            f"step `{step}` refers to itself",
            "in `until` and `checks` its own answer is `output`",
        )
    if not world.ancestors.has(spot.step, step):
        hint = f"add `{step}` to its `needs`, or move it below `{step}`"
        return f"step `{spot.step}` does not wait for `{step}`, so it can't use its output", hint
    return "", ""

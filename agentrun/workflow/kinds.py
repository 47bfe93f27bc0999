"""The keys of step kinds, checked against `StepKind.spec`.

Owns how the YAML of any kind, built in or third party, becomes the spec that `execute` finds: a
scalar goes into the kind's scalar field, keys beside are taken up, unknown keys are refused, and a
field whose value is an expression is checked when it has a value.
"""

from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from agentrun.core.model import Json
from agentrun.steps import registry
from agentrun.steps.kind import StepKind
from agentrun.workflow import units
from agentrun.workflow.findings import Findings, worded
from agentrun.workflow.hints import STEP_KEYS_ELSEWHERE, closest, did_you_mean
from agentrun.workflow.schema_types import type_name
from agentrun.workflow.yaml_source import Path

SPEC_KEYS_ELSEWHERE = {
    "cmd": "run", "command": "run", "data": "body", "query": "params", "uri": "url",
    "verb": "method", "status": "expect", "instructions": "prompt", "task": "prompt",
    "system_prompt": "system", "template": "prompt_file", "tool": "cli", "provider": "model",
    "question": "message", "choices": "options", "prompt": "message", "text": "message",
}  # fmt: skip


@cache
def kind_names() -> frozenset[str]:
    """Return the built-in kinds' keys."""
    return frozenset(registry.built_in_names())


@cache
def yaml_keys(name: str) -> dict[str, Field[Any]]:
    """Return the keys of a kind as they stand in YAML (`for_` is `for`), with their fields."""
    return {each.name.rstrip("_"): each for each in fields(registry.get(name).spec)}


@cache
def _adapters(name: str) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(registry.get(name).spec, include_extras=True)
    return {key: TypeAdapter(hints[each.name]) for key, each in yaml_keys(name).items()}


def default_of(field: Field[Any]) -> Any:
    """Return a field's default as JSON data, MISSING when it has none."""
    default = field.default
    if field.default_factory is not MISSING:
        default = field.default_factory()
    return list(default) if isinstance(default, tuple) else default


def is_kind(name: str) -> bool:
    """Say whether a key names a step kind; installed packages are only looked at for odd keys."""
    return name in kind_names() or name in registry.third_party_names()


def read_spec(
    kind: StepKind, holder: dict[str, Any], path: Path, findings: Findings
) -> dict[str, Json] | None:
    """Return the checked spec of a step (or fallback) of this kind, or None when it is wrong.

    `holder` is the mapping with the kind's key; keys that stand beside it are read from there.
    """
    given, places = _gather(kind, holder, path, findings)
    known = yaml_keys(kind.name)
    before = len(findings.problems)
    spec: dict[str, Json] = {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            hint = did_you_mean(key, known, SPEC_KEYS_ELSEWHERE)
            findings.add(places[key], f"unknown key `{key}` in `{kind.name}`", hint, of_key=True)
            continue
        values[known[key].name] = value
        spec[known[key].name] = _read_field(kind, key, value, places[key], findings, values)
    for key, each in known.items():
        if each.name in values:
            continue
        default = default_of(each)
        if default is MISSING:
            findings.add((*path, kind.name), f"`{kind.name}` needs `{key}`", of_key=True)
        spec[each.name] = default
    if len(findings.problems) > before:
        return None
    return spec if _whole(kind, values, (*path, kind.name), findings) else None


def _gather(
    kind: StepKind, holder: dict[str, Any], path: Path, findings: Findings
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Return the kind's keys from inside and beside, with the path of each."""
    inner, inside = (*path, kind.name), holder[kind.name]
    if isinstance(inside, dict):
        given = dict(inside)
        places: dict[str, Path] = {key: (*inner, key) for key in inside}
        for key in kind.beside & given.keys():
            findings.add(
                places[key], f"`{key}` stands beside `{kind.name}`, on the step", of_key=True
            )
    elif kind.scalar is not None:
        key = kind.scalar.rstrip("_")
        given, places = {key: inside}, {key: inner}
    else:
        keys = ", ".join(list(yaml_keys(kind.name))[:3])
        what = type_name(inside)
        findings.add(inner, f"`{kind.name}` must be a mapping with keys such as {keys}, not {what}")
        given, places = {}, {}
    for key in (kind.beside | kind.either) & holder.keys():
        if key in given and isinstance(inside, dict):
            findings.add(
                (*path, key), f"`{key}` stands inside `{kind.name}` and beside it", of_key=True
            )
        given[key], places[key] = holder[key], (*path, key)
    return given, places


def _read_field(
    kind: StepKind, key: str, value: Any, path: Path, findings: Findings, values: dict[str, Any]
) -> Json:
    field = yaml_keys(kind.name)[key]
    node = findings.source.node(path)
    if field.type is bool or field.type == "bool":
        findings.booleans.add(path)
    if isinstance(value, bool) and key == kind.scalar and key in kind.program_text:
        value = value if node.surprise else str(node.raw)  # `run: true` is the command
    if value is None and node.raw == "":
        findings.add(path, f"`{key if key != kind.scalar else kind.name}` is empty")
        return None
    adapter = _adapters(kind.name)[key]
    try:
        checked = adapter.validate_python(value)
    except ValidationError as error:
        if not (isinstance(value, str) and value.lstrip().startswith("${{")):
            _add_error(kind, key, path, error, findings)
        return value
    values[field.name] = checked
    if message := _further(kind.name, key, value):
        findings.add(path, message)
    return adapter.dump_python(checked, mode="json")


def _add_error(
    kind: StepKind, key: str, path: Path, error: ValidationError, findings: Findings
) -> None:
    """Say what is wrong with a field; of a union's many complaints the one that went deepest."""
    details = sorted(error.errors(include_url=False), key=lambda each: -len(each["loc"]))
    shown = details if len({each["loc"] for each in details}) == len(details) else details[:1]
    union = len(details) > 1 and any(
        isinstance(p, str) for each in details for p in each["loc"][:1]
    )
    for each in shown[:1] if union else shown:
        loc = tuple(part for part in each["loc"] if _is_data(part, findings, path))
        at = (*path, *loc)
        message, hint = worded(each, at if loc else (key,))
        if each["type"] == "extra_forbidden":
            message = f"unknown key `{each['loc'][-1]}` in `{key}`"
        node = findings.source.node(at)
        if "must be text" in message and node.raw:
            hint = f'quote it: "{node.raw}"'
        if union and not loc:
            message = f"`{key}` can't be {type_name(node.value)}"
            if isinstance(node.value, str):
                message = f"`{key}` can't be `{node.value[:60]}`"
            hint = _union_hint(details)
        findings.add(
            at,
            message if key != kind.scalar else message.replace(f"`{key}`", f"`{kind.name}`"),
            hint,
        )


def _union_hint(details: list[Any]) -> str:
    literal = next((each for each in details if each["type"] == "literal_error"), None)
    if literal is None:
        return ""
    names = [
        each.strip("' ") for each in literal["ctx"]["expected"].replace(" or ", ",").split(",")
    ]
    near = closest(str(literal["input"]), names)
    return f"did you mean `{near}`?" if near else f"one of {', '.join(names)}"


def _is_data(part: Any, findings: Findings, path: Path) -> bool:
    """Say whether a part of Pydantic's location is a key of the data (it adds names of types)."""
    value = findings.source.node(path).value
    return isinstance(part, int) or (isinstance(value, dict) and part in value)


def _whole(kind: StepKind, values: dict[str, Any], path: Path, findings: Findings) -> bool:
    """Let the spec's own `__post_init__` look at the fields together."""
    try:
        kind.spec(**values)
    except (ValueError, TypeError) as error:
        findings.add(path, str(error), of_key=True)
        return False
    return True


def _further(kind: str, key: str, value: Any) -> str:
    """Return what is wrong with a value beyond its type, "" when nothing is."""
    if isinstance(value, str) and "${{" in value:
        return ""
    try:
        if (kind, key) == ("approval", "timeout") and value is not None:
            units.duration_s(value)
        elif (kind, key) == ("wait", "for"):
            _check_wait(value)
        elif (kind, key) == ("python", "target"):
            _check_target(value)
        elif key == kind_scalar(kind) and isinstance(value, str) and not value.strip():
            return f"`{kind}` is empty"
    except ValueError as error:
        return str(error)
    return ""


def kind_scalar(name: str) -> str | None:
    """Return the YAML key of the field that a scalar goes into."""
    scalar = registry.get(name).scalar
    return scalar.rstrip("_") if scalar else None


def _check_wait(value: Any) -> None:
    from datetime import datetime

    try:
        units.duration_s(value)
    except ValueError:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise ValueError(
                f"`{value}` is neither a duration (90s, 2h) nor a moment (2026-12-24T18:00:00Z)"
            ) from None
        if moment.tzinfo is None:
            raise ValueError(f"the moment `{value}` needs a time zone: add Z or +02:00") from None


def _check_target(value: str) -> None:
    where, colon, function = value.rpartition(":")
    if not colon or not where or not function.replace(".", "_").isidentifier():
        raise ValueError(
            f"`{value}` does not name a function: write `module:function` or `file.py:function`"
        )


def misplaced(key: str) -> str:
    """Return the hint for a key of some kind that stands on the step itself."""
    if hint := STEP_KEYS_ELSEWHERE.get(key):
        return f"did you mean `{hint}`?"
    for name in registry.built_in_names():
        if key in yaml_keys(name):
            where = "beside" if key in registry.get(name).beside else "inside"
            return f"it belongs {where} `{name}`"
    return ""

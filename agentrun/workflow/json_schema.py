"""The JSON Schema of workflow files, for editors: every key, with description and examples.

Generated from the models of `schema.py` and the specs of the step kinds, so that it can't lag
behind them. It accepts what the loader accepts; what concerns several places (references, cycles,
values in commands) only `agentrun validate` can tell.
"""

from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from agentrun.core.model import Json
from agentrun.steps import registry
from agentrun.steps.kind import StepKind
from agentrun.workflow import schema
from agentrun.workflow.kinds import yaml_keys
from agentrun.workflow.rules import ACTIONS
from agentrun.workflow.schema_types import CATEGORIES, KINDS
from agentrun.workflow.steps import NO_FALLBACK

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{model}"
_EXPRESSION = {"type": "string", "pattern": r"\$\{\{", "description": "an expression: ${{ ... }}"}
_FIELD_TYPES = ["string", "number", "integer", "boolean", "array", "object", "null", "any"]
_MODELS = (
    schema.WorkflowModel, schema.StepModel, schema.RetryModel, schema.RemedyModel,
)  # fmt: skip
_EXAMPLES: dict[str, list[Json]] = {
    "if": ["${{ inputs.deploy }}", "failed('build')"],
    "for_each": ["${{ steps.list.output }}", ["a", "b"]],
    "until": ["output == 'done'"],
    "checks": [["pytest -q", "${{ output.score > 0.5 }}"]],
    "output": ["json", {"label": {"enum": ["bug", "feature"]}, "score": "number"}],
    "run": ["make test", 'grep -rn "${{ inputs.word }}" .'],
    "python": ["report.py:write", "package.module:function"],
    "http": [{"url": "https://example.com/items", "expect": 200}],
    "agent": [{"cli": "claude", "prompt": "Fix the failing test"}],
    "workflow": ["deploy.yaml"],
    "approval": ["Deploy to production?"],
    "wait": ["30s", "2026-12-24T18:00:00Z"],
    "with": [{"repo": "${{ inputs.repo }}"}],
    "retry": [{"max_attempts": 5, "delay": "2s"}],
    "fallback": [[{"agent": {"cli": "codex"}}]],
    "on_error": [[{"match": {"kind": "rate_limit"}, "then": "retry"}]],
    "needs": [["build", "test"], []],
}


def json_schema() -> dict[str, Json]:
    """Return the schema of a workflow file."""
    _, generated = models_json_schema(
        [(model, "validation") for model in _MODELS], by_alias=True, ref_template=_REF
    )
    definitions: dict[str, Any] = generated["$defs"]
    top = definitions.pop("WorkflowModel")
    common = definitions.pop("StepModel")
    kinds = {name: registry.get(name) for name in _kind_names()}
    values = {name: _kind_value(kind, definitions) for name, kind in kinds.items()}
    definitions.update({f"kind_{name}": value for name, value in values.items()})
    ways = {name: {"$ref": f"#/$defs/kind_{name}"} for name in values}
    beside = _beside(kinds, definitions)
    definitions["Step"] = _step(common, ways, beside)
    definitions["agent_alike"] = _without_required(values.get("agent", {}))
    definitions["Alternative"] = _alternative(ways, beside)
    definitions["ErrorRule"] = _rule()
    definitions["Output"] = _output()
    definitions["OutputField"] = _output_field()
    top["properties"]["steps"]["items"] = {"$ref": "#/$defs/Step"}
    top["properties"]["defaults"] = _defaults(definitions["Step"], beside, top)
    debugger = definitions["DebuggerModel"]["properties"]
    debugger["agent"] = {**debugger["agent"], "$ref": "#/$defs/agent_alike"}
    return {
        "$schema": SCHEMA_ID,
        "title": "agentrun workflow",
        **_without_titles(top),
        "$defs": _without_titles(definitions),
    }


def _kind_names() -> tuple[str, ...]:
    return (*registry.built_in_names(), *registry.third_party_names())


def _kind_value(kind: StepKind, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what stands under a kind's key."""
    hints = get_type_hints(kind.spec, include_extras=True)
    properties, required = {}, []
    for key, each in yaml_keys(kind.name).items():
        if key in kind.beside:
            continue
        properties[key] = _field(hints[each.name], definitions)
        if each.default is each.default_factory and key not in kind.either:  # both MISSING
            required.append(key)
    about = (kind.spec.__doc__ or "").strip().split("\n")[0]
    whole: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        whole["required"] = required
    description = {"description": about, "examples": _EXAMPLES.get(kind.name, [])}
    if kind.scalar is None:
        return {**whole, **description}
    ways = [properties[kind.scalar.rstrip("_")], whole]
    if kind.scalar in kind.program_text:
        ways.append({"type": "boolean"})  # `run: true` is the command
    return {"anyOf": ways, **description}


def _without_required(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an agent whose prompt comes from elsewhere."""
    return {key: each for key, each in value.items() if key != "required"}


def _field(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one field of a spec; where text can't stand, an expression can."""
    made = TypeAdapter(hint).json_schema(ref_template=_REF)
    definitions.update(made.pop("$defs", {}))
    about = next((each for each in get_args(hint)[1:] if isinstance(each, str)), "")
    if not _takes_text(made):
        made = {"anyOf": [made, _EXPRESSION]}
    return {**made, "description": about} if about else made


def _takes_text(made: dict[str, Any]) -> bool:
    if "anyOf" in made:
        return any(_takes_text(each) for each in made["anyOf"])
    plain = "enum" not in made and "const" not in made and "$ref" not in made
    return plain and made.get("type", "string") == "string"


def _beside(kinds: dict[str, StepKind], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of kinds that stand on the step itself."""
    found: dict[str, Any] = {}
    for kind in kinds.values():
        hints = get_type_hints(kind.spec, include_extras=True)
        for key, each in yaml_keys(kind.name).items():
            if key in kind.beside | kind.either:
                found.setdefault(key, _field(hints[each.name], definitions))
    return found


def _step(common: dict[str, Any], ways: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    properties = {**beside, **common["properties"], **ways}
    properties["output"] = {"$ref": "#/$defs/Output"}
    properties["fallback"] = _list_of("Alternative", properties["fallback"])
    properties["on_error"] = _list_of("ErrorRule", properties["on_error"])
    for key, examples in _EXAMPLES.items():
        if key in properties:
            properties[key] = {**properties[key], "examples": examples}
    return {
        "type": "object",
        "description": "a step: its id, one kind, and what holds for every kind",
        "properties": properties,
        "required": ["id"],
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in ways],
    }


def _list_of(name: str, described: dict[str, Any]) -> dict[str, Any]:
    return {**described, "type": "array", "items": {"$ref": f"#/$defs/{name}"}}


def _alternative(ways: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    allowed = {name: each for name, each in ways.items() if name not in NO_FALLBACK}
    allowed["agent"] = {"$ref": "#/$defs/agent_alike"}
    more = {"with": {"type": ["object", "string"]}, "component": {"type": "string"}}
    return {
        "type": "object",
        "description": "another way to do the step; it keeps the step's other keys",
        "properties": {**beside, **allowed, **more},
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in allowed],
    }


def _rule() -> dict[str, Any]:
    def one_or_many(item: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [item, {"type": "array", "items": item}]}

    codes = one_or_many({"type": "integer"})
    match = {
        "kind": one_or_many({"enum": list(KINDS)}),
        "category": one_or_many({"enum": list(CATEGORIES)}),
        "exit_code": codes,
        "status": codes,
        "text": {"type": "string", "format": "regex"},
    }
    then = {"enum": list(ACTIONS), "description": "what to do when the rule matches"}
    return {
        "type": "object",
        "description": "what to do on which failure",
        "properties": {
            "match": {"type": "object", "properties": match, "additionalProperties": False},
            "then": then,
            **{
                action: {"enum": [True, None], "description": f"short for `then: {action}`"}
                for action in ACTIONS
            },
        },
        "additionalProperties": False,
    }


def _output() -> dict[str, Any]:
    fields = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/OutputField"},
        "minProperties": 1,
    }
    whole = {"type": "object", "properties": {"schema": {"type": "object"}}, "required": ["schema"]}
    return {
        "description": "`text`, `json`, `lines`, a map of fields to types, or a JSON Schema",
        "anyOf": [{"enum": ["text", "json", "lines", None]}, whole, fields],
        "examples": _EXAMPLES["output"],
    }


def _output_field() -> dict[str, Any]:
    item = {"$ref": "#/$defs/OutputField"}
    return {"anyOf": [{"enum": _FIELD_TYPES}, {"type": "array", "items": item}, {"type": "object"}]}


def _defaults(step: dict[str, Any], beside: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    not_here = {"id", "name", "needs", *_kind_names()}
    properties = {k: v for k, v in step["properties"].items() if k not in not_here or k in beside}
    about = top["properties"]["defaults"].get("description", "")
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": about,
    }


def _without_titles(value: Any) -> Any:
    """Drop the titles that Pydantic makes of names; an editor would show them as noise."""
    if isinstance(value, dict):
        return {
            key: _without_titles(each)
            for key, each in value.items()
            if not (key == "title" and isinstance(each, str))
        }
    if isinstance(value, list):
        return [_without_titles(each) for each in value]
    return value

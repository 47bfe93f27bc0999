"""`output:` of a step: `text`, `json`, `lines`, a map of fields to types, or a JSON Schema.

Owns the translation of the short form into JSON Schema: `{label: {enum: [a, b]}, score: number}`
is an object with these two required properties. Nested maps, `[string]` for lists, and any JSON
Schema keyword of a field (`{type: number, minimum: 0}`) work.
"""

from collections.abc import Mapping
from typing import Any

from agentrun.core.model import Json, OutputSpec
from agentrun.workflow.findings import Findings
from agentrun.workflow.hints import closest, did_you_mean
from agentrun.workflow.schema_types import type_name
from agentrun.workflow.yaml_source import Path

_FORMS = ("text", "json", "lines")
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null", "any")
_TYPES_ELSEWHERE = {
    "str": "string", "text": "string", "int": "integer", "float": "number", "bool": "boolean",
    "list": "array", "dict": "object", "map": "object", "enum": "{enum: [...]}",
}  # fmt: skip
_KEYWORDS = frozenset({
    "type", "enum", "const", "items", "properties", "required", "minimum", "maximum", "pattern",
    "minLength", "maxLength", "minItems", "maxItems", "anyOf", "oneOf", "allOf", "not", "format",
    "additionalProperties", "exclusiveMinimum", "exclusiveMaximum", "description", "uniqueItems",
    "multipleOf", "default", "examples", "title", "$ref", "$defs",
})  # fmt: skip


def read_output(value: Any, path: Path, findings: Findings) -> OutputSpec:
    """Return what the answer must look like; problems go to the findings."""
    if value is None:
        return OutputSpec()
    if isinstance(value, str):
        for form in _FORMS:
            if value == form:
                return OutputSpec(form=form)  # type: ignore[arg-type]
        hint = did_you_mean(value, _FORMS)
        if value in _TYPES or value in _TYPES_ELSEWHERE:
            hint = "write `output: text` or `output: json`, or a map: {field: type}"
        findings.add(path, f"`output` can't be `{value[:60]}`", hint)
    elif not isinstance(value, dict):
        findings.add(path, f"`output` can't be {type_name(value)}", "text, json, lines or a map")
    elif not value:
        findings.add(path, "`output` has no fields", "write `output: json` for any JSON")
    elif set(value) == {"schema"} and not isinstance(value["schema"], str):
        return _whole_schema(value["schema"], (*path, "schema"), findings)
    else:
        schema = _object(value, path, findings)
        _check_schema(schema, path, findings)
        return OutputSpec(form="schema", schema=schema)
    return OutputSpec()


def _whole_schema(schema: Any, path: Path, findings: Findings) -> OutputSpec:
    if not isinstance(schema, dict):
        findings.add(path, f"`schema` must be a JSON Schema, not {type_name(schema)}")
        return OutputSpec()
    _check_schema(schema, path, findings)
    return OutputSpec(form="schema", schema=schema)


def _object(fields: Mapping[str, Any], path: Path, findings: Findings) -> dict[str, Json]:
    properties = {key: _field(each, (*path, key), findings) for key, each in fields.items()}
    return {"type": "object", "properties": properties, "required": list(fields)}


def _field(value: Any, path: Path, findings: Findings) -> Json:
    if isinstance(value, str):
        if value in _TYPES:
            return {} if value == "any" else {"type": value}
        near = _TYPES_ELSEWHERE.get(value) or closest(value, _TYPES)
        hint = f"did you mean `{near}`?" if near else f"one of {', '.join(_TYPES)}"
        findings.add(path, f"`{value[:60]}` is not a type", hint)
        return {}
    if isinstance(value, list) and len(value) == 1:
        return {"type": "array", "items": _field(value[0], (*path, 0), findings)}
    if isinstance(value, list):
        findings.add(
            path, "a list of several types is not a type", f"did you mean {{enum: {value}}}?"
        )
        return {}
    if isinstance(value, dict) and value:
        if "enum" in value and not (isinstance(value["enum"], list) and value["enum"]):
            findings.add((*path, "enum"), "`enum` must be a list with the allowed values")
            return {}
        return value if _KEYWORDS & value.keys() else _object(value, path, findings)
    findings.add(path, f"a field's type can't be {type_name(value)}", f"one of {', '.join(_TYPES)}")
    return {}


def _check_schema(schema: dict[str, Any], path: Path, findings: Findings) -> None:
    """Find what is not JSON Schema; the library is only loaded for schemas written by hand."""
    if _is_simple(schema):
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        at = tuple(part for part in error.absolute_path if part != "properties")
        findings.add((*path, *at), f"this is not JSON Schema: {error.message[:120]}")


def _is_simple(schema: Any) -> bool:
    """Say whether the schema was made of our own short forms only, which are right by birth."""
    if not isinstance(schema, dict):
        return False
    extra = schema.keys() - {"type", "properties", "required", "enum", "items"}
    if extra or not isinstance(schema.get("type", "object"), str):
        return False
    if schema.get("type", "any") not in _TYPES or not isinstance(schema.get("enum", []), list):
        return False
    if "items" in schema and not _is_simple(schema["items"]):
        return False
    inner = schema.get("properties", {})
    return isinstance(inner, dict) and all(_is_simple(each) for each in inner.values())

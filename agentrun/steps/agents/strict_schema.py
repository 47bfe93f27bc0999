"""Whether a JSON Schema is one that providers take for constrained answers.

They want every object closed (`additionalProperties: false`) with all its properties required, and
refuse a request that breaks this. A schema that does is put into the prompt alone.
"""

from collections.abc import Mapping

from agentrun.core.model import Json

_TAKEN = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "description", "title", "minimum", "maximum", "minItems", "maxItems", "pattern"),
}


def strict(schema: Mapping[str, Json]) -> bool:
    """Return whether the whole schema, an object at its top, is of that form."""
    return schema.get("type") == "object" and _strict(schema)


def _strict(schema: Json) -> bool:
    if not isinstance(schema, dict) or not _TAKEN.issuperset(schema):
        return False
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", [])) != set(properties):
            return False
        inner += properties.values()
    return all(_strict(each) for each in inner)

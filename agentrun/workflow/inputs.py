"""Whether a value fits an input: its type and its choices."""

from agentrun.core.model import Input, Json

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def misfit(declared: Input, value: Json) -> str:
    """Return what is wrong with a value for an input, "" when it fits."""
    fits = isinstance(value, _TYPES[declared.type])
    if isinstance(value, bool) and declared.type != "boolean":
        fits = False
    if not fits:
        article = "an" if declared.type[0] in "aoi" else "a"
        return f"must be {article} {declared.type}, not `{value}`"
    if declared.enum and value not in declared.enum:
        return f"must be one of {', '.join(str(each) for each in declared.enum)}, not `{value}`"
    return ""

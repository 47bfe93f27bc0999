"""The small types of the workflow file: durations, names, conditions, texts.

Owns how one value is checked and what the editor's JSON Schema says about it. Each is an annotated
type for the models of `schema.py`; a wrong value raises ValueError with a message for people.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from agentrun.core.failure import Category, Kind
from agentrun.core.model import ANY
from agentrun.workflow import units
from agentrun.workflow.hints import did_you_mean

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_ID_LENGTH = 100

RESERVED_NAMES = frozenset({
    "inputs", "steps", "env", "task", "attempt", "last_error", "index", "output", "exit_code",
    "always", "failed", "succeeded", "range", "len", "true", "false", "none", "and", "or", "not",
    "in", "is", "if", "else",
})  # fmt: skip
"""Names that expressions already use: `as` may not take them."""

KINDS = tuple(kind.value for kind in Kind)
CATEGORIES = tuple(category.value for category in Category)


def _identifier(value: object) -> str:
    text = _text(value)
    if _IDENTIFIER.fullmatch(text) and len(text) <= MAX_ID_LENGTH:
        return text
    fixed = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    fixed = f"_{fixed}" if fixed[:1].isdigit() else fixed
    why = "letters, digits and `_`, not starting with a digit"
    if "${{" in text:
        why = "an expression can't stand here"
    elif "-" in text:
        why = "in an expression a hyphen would subtract"
    elif len(text) > MAX_ID_LENGTH:
        why, fixed = f"at most {MAX_ID_LENGTH} characters", ""
    raise ValueError(
        f"`{text[:60]}` is not a name: {why}" + (f"; write `{fixed}`" if fixed else "")
    )


def _as_name(value: object) -> str:
    name = _identifier(value)
    if name in RESERVED_NAMES:
        raise ValueError(f"`{name}` already means something in expressions; choose another name")
    return name


def _env_name(value: object) -> str:
    name = _text(value)
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"`{name[:60]}` is not the name of an environment variable")
    if name.startswith("AGENTRUN_"):
        raise ValueError(f"`{name}` is set by agentrun itself; choose another name")
    return name


def _secret_name(value: object) -> str:
    name = _text(value)
    if not _IDENTIFIER.fullmatch(name) or len(name) > MAX_ID_LENGTH:
        raise ValueError(
            "a secret is named by its environment variable, such as API_KEY, never by value"
        )
    return name


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {type_name(value)}")  # noqa: TRY004, pydantic needs it
    return value


def _plain_text(value: object) -> str:
    text = _text(value)
    if "${{" in text:
        raise ValueError("an expression can't stand here: this is read before anything runs")
    return text


def type_name(value: object) -> str:
    """Return what YAML calls a value of this type."""
    if value is None:
        return "empty"
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "a mapping" if isinstance(value, dict) else type(value).__name__)


def _condition(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = _text(value)
    if not text.strip():
        raise ValueError("the condition is empty")
    return text


def _env_value(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"must be text, a number or a boolean, not {type_name(value)}")  # noqa: TRY004, pydantic needs it
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _retry_on(value: object) -> str:
    known = (*CATEGORIES, *KINDS, ANY)
    if value not in known:
        raise ValueError(
            f"`{value}` is no kind or category of failure; {did_you_mean(str(value), known)}"
        )
    if value == "security":
        raise ValueError("a failure of kind security is never retried")
    return str(value)


def _kind(value: object) -> str:
    if value not in KINDS:
        raise ValueError(f"`{value}` is no kind of failure; {did_you_mean(str(value), KINDS)}")
    return str(value)


def _regex(value: object) -> str:
    text = _text(value)
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"`{text}` is not a regular expression: {error}") from None
    return text


def _for_each(value: object) -> Any:
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value.strip().startswith("${{"):
        return value
    raise ValueError("must be a list, or one expression that gives a list: ${{ steps.x.output }}")


def _schema(kind: str | list[str], **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **more})


Text = Annotated[str, BeforeValidator(_text), _schema("string")]
PlainText = Annotated[str, BeforeValidator(_plain_text), _schema("string")]
Identifier = Annotated[
    str, BeforeValidator(_identifier), _schema("string", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
]
AsName = Annotated[
    str, BeforeValidator(_as_name), _schema("string", pattern="^[A-Za-z_][A-Za-z0-9_]*$")
]
EnvName = Annotated[str, BeforeValidator(_env_name), _schema("string")]
SecretName = Annotated[str, BeforeValidator(_secret_name), _schema("string")]
EnvValue = Annotated[
    str | int | float | bool,
    BeforeValidator(_env_value),
    _schema(["string", "number", "boolean"]),
]
Condition = Annotated[str, BeforeValidator(_condition), _schema(["string", "boolean"])]
Duration = Annotated[
    float,
    BeforeValidator(units.duration_s),
    _schema(
        ["string", "number"],
        pattern=r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d|w)?\s*)+$",
        minimum=0,
        examples=["500ms", "30s", "10m", "2h", "1h30m"],
    ),
]
Count = Annotated[
    int, BeforeValidator(units.count), _schema(["string", "integer"], examples=["500k", "2M"])
]
Rate = Annotated[
    tuple[float, float],
    BeforeValidator(units.rate),
    _schema("string", examples=["10/s", "50/min", "100/h"]),
]
Kinds = Annotated[
    list[Annotated[str, BeforeValidator(_kind), _schema("string", enum=list(KINDS))]],
    BeforeValidator(_one_or_many),
]
RetryOn = Annotated[
    list[
        Annotated[
            str,
            BeforeValidator(_retry_on),
            _schema("string", enum=[*CATEGORIES, *(k for k in KINDS if k != "security"), ANY]),
        ]
    ],
    BeforeValidator(_one_or_many),
]
Regex = Annotated[str, BeforeValidator(_regex), _schema("string", format="regex")]
ExitCodes = Annotated[list[Annotated[int, Field(ge=0, le=255)]], BeforeValidator(_one_or_many)]
Statuses = Annotated[list[Annotated[int, Field(ge=100, le=999)]], BeforeValidator(_one_or_many)]
Texts = Annotated[
    list[Text],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
ForEach = Annotated[
    Any,
    BeforeValidator(_for_each),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"\$\{\{"}, {"type": "array"}]}),
]

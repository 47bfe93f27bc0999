"""`${{ ... }}`: what it refers to and what it is worth.

Owns evaluation and the static view of expressions. Refuses to know where the names come from: the
runner passes a scope. A plain dotted name (`steps.a.output.b[0]`) is looked up without Jinja;
anything else is compiled once in the sandbox and cached. A value that is one single expression
keeps its type and is not copied; within text see `text.text_of`. What an expression yields is never
rendered again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from agentrun.core.model import Json
from agentrun.workflow.hints import NAMES_ELSEWHERE, closest
from agentrun.workflow.template import ExpressionError, ValueTooLarge, single, spans
from agentrun.workflow.text import MAX_TEXT_BYTES, text_of

__all__ = [
    "ExpressionError",
    "Reference",
    "ValueTooLarge",
    "evaluate",
    "expressions_in",
    "has_expression",
    "references",
    "references_of",
    "render",
    "render_prompt",
    "text_of",
    "truthy",
    "unwrapped",
]

FUNCTIONS = frozenset({"always", "failed", "succeeded"})
"""Names that the runner may pass as functions; the static check allows them."""

_DOTTED = re.compile(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,9}\]|\['[^'\\]*'\]|\[\"[^\"\\]*\"\])*", re.ASCII
)
_PART = re.compile(r"[A-Za-z_]\w*|\[\d+\]|\['[^']*'\]|\[\"[^\"]*\"\]", re.ASCII)
_MAPPINGS = (dict, Mapping)
_WORDS = frozenset({"true", "false", "none", "True", "False", "None", "not"})

Part = str | int


class Reference(Struct, frozen=True):
    """A name an expression uses: `steps.a.output` is name `steps`, path `("a", "output")`.

    `dynamic` says that the path goes on with something only known at run time (`steps[x]`);
    `call` that it is a call, whose literal arguments are the path (`failed('a')`).
    """

    name: str
    path: tuple[Part, ...] = ()
    dynamic: bool = False
    call: bool = False

    def __str__(self) -> str:
        return self.name + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)


class Expression(Struct, frozen=True):
    """A compiled expression: its source, what it refers to, and how to get its value."""

    source: str
    references: tuple[Reference, ...]
    value: Callable[[Mapping[str, Any]], Json]


def has_expression(value: object) -> bool:
    """Say whether a text holds `${{`."""
    return isinstance(value, str) and "${{" in value


def render(value: Json, scope: Mapping[str, Any]) -> Json:
    """Return the value with every `${{ }}` in it replaced, at any depth of lists and mappings."""
    if isinstance(value, str):
        return _render_text(value, scope) if "${{" in value else value
    if isinstance(value, dict):
        return {key: render(each, scope) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [render(each, scope) for each in value]
    return value


def _render_text(text: str, scope: Mapping[str, Any]) -> Json:
    if (source := single(text)) is not None:
        return compiled(source).value(scope)
    parts: list[str] = []
    at = size = 0
    for span in spans(text):
        part = text_of(compiled(span.source).value(scope))
        parts.extend((text[at : span.start], part))
        at = span.end
        size += len(part)
        if size > MAX_TEXT_BYTES:
            raise ExpressionError(
                f"the text made by `{span.source}` is larger than 64 MiB", span.source
            )
    return "".join([*parts, text[at:]])


def evaluate(expression: str, scope: Mapping[str, Any]) -> Json:
    """Return the value of an expression, written with or without `${{ }}` around it."""
    return compiled(unwrapped(expression)).value(scope)


def truthy(expression: str | bool, scope: Mapping[str, Any]) -> bool:
    """Say whether a condition holds. The texts `false`, `0`, `no` and the empty one do not."""
    if isinstance(expression, bool):
        return expression
    value = evaluate(expression, scope)
    if isinstance(value, str):
        return value.strip().lower() not in {"", "false", "0", "no", "off", "none", "null"}
    return bool(value)


def unwrapped(expression: str) -> str:
    """Return the source of a condition without the `${{ }}` it may be wrapped in."""
    text = expression.strip()
    source = single(text)
    if source is not None:
        return source
    if "${{" in text:
        raise ExpressionError(
            f"`{text}` mixes `${{{{ }}}}` with text",
            text,
            "put the whole condition inside `${{ }}`",
        )
    return text


def references(value: Json) -> set[Reference]:
    """Return everything that the expressions in a value refer to, at any depth."""
    return {each for source in expressions_in(value) for each in references_of(source)}


def references_of(source: str) -> tuple[Reference, ...]:
    """Return what one expression refers to. Raises ExpressionError when it can't be read."""
    return compiled(source).references


def expressions_in(value: Json) -> Iterator[str]:
    """Yield the source of every `${{ }}` in a value, at any depth."""
    if isinstance(value, str):
        if "${{" in value:
            yield from (span.source for span in spans(value))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from expressions_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from expressions_in(each)


@lru_cache(maxsize=8192)
def compiled(source: str) -> Expression:
    """Return the compiled form of an expression. Jinja is imported only when it needs it."""
    source = source.strip()
    if _DOTTED.fullmatch(source) and source not in _WORDS:
        path = tuple(_part(each) for each in _PART.findall(source))
        reference = Reference(str(path[0]), path[1:])
        return Expression(source, (reference,), lambda scope: _look_up(source, path, scope))
    from agentrun.workflow.compiled import compile_expression

    refers, value = compile_expression(source)
    return Expression(source, refers, value)


def _part(text: str) -> Part:
    if not text.startswith("["):
        return text
    inner = text[1:-1]
    return inner[1:-1] if inner[0] in "'\"" else int(inner)


def _look_up(source: str, path: tuple[Part, ...], scope: Mapping[str, Any]) -> Json:
    value: Any = scope
    for depth, part in enumerate(path):
        try:
            if isinstance(part, str) and not isinstance(value, _MAPPINGS):
                raise _missing(source, path, depth, value)
            value = value[part]
        except (LookupError, TypeError):
            raise _missing(source, path, depth, value) from None
    if callable(value):
        raise ExpressionError(f"`{source}` is a function", source, f"write `{source}()`")
    return value


def _missing(source: str, path: tuple[Part, ...], depth: int, holder: Any) -> ExpressionError:
    """Say which part of a dotted name is missing, and what is there."""
    whole = str(Reference(str(path[0]), path[1:depth]))
    part = path[depth]
    if depth == 0:
        known = [*holder]
        near = NAMES_ELSEWHERE.get(str(part)) or closest(str(part), known)
        hint = f"did you mean `{near}`?" if near else f"known: {', '.join(sorted(known))}"
        return ExpressionError(f"`{part}` in `${{{{ {source} }}}}` is not defined", source, hint)
    if holder is None:
        message = f"`{whole}` is null, so `${{{{ {source} }}}}` has no value"
        hint = f"use `{whole}.{part} | default(...)`" if depth > 1 else ""
        return ExpressionError(message, source, hint)
    if isinstance(holder, Mapping):
        names = [str(key) for key in holder]
        near = closest(str(part), names)
        there = ", ".join(sorted(names)[:8]) or "nothing"
        hint = f"did you mean `{near}`?" if near else f"it has: {there}"
        return ExpressionError(
            f"`{whole}` has no `{part}`, asked for by `${{{{ {source} }}}}`", source, hint
        )
    if isinstance(holder, list | tuple):
        hint = f"it is a list of {len(holder)}; write `{whole}[0]` for the first"
        return ExpressionError(f"`{whole}` has no `{part}`", source, hint)
    hint = "is the step's `output: json` missing?" if isinstance(holder, str) else ""
    what = {str: "text", bool: "a boolean"}.get(type(holder), "a number")
    return ExpressionError(f"`{whole}` is {what}, so it has no `{part}`", source, hint)


def render_prompt(text: str, scope: Mapping[str, Any], loader_dir: Path | None = None) -> str:
    """Return a prompt file's text rendered with full Jinja; see `prompts.py`."""
    if "${{" not in text and "{%" not in text:
        return text
    from agentrun.workflow.prompts import render_prompt_file

    return render_prompt_file(text, scope, loader_dir)

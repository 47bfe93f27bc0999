"""Expressions that need Jinja: parsed for what they refer to, compiled, run, their result checked.

Owns the translation of Jinja's errors and results into ours. Imported only through
`expressions.compiled`, so that a workflow of plain dotted names never loads Jinja.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from jinja2 import TemplateError, Undefined, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.parser import Parser

from agentrun.core.model import Json
from agentrun.workflow.expressions import Part, Reference
from agentrun.workflow.hints import did_you_mean
from agentrun.workflow.sandbox import Sandbox, new_sandbox
from agentrun.workflow.template import ExpressionError

MAX_ITEMS = 1_000_000
MAX_DEPTH = 100
MAX_SOURCE = 10_000

_NAMED = {
    "map": (0, "filters", "filter"),
    "select": (0, "tests", "test"),
    "reject": (0, "tests", "test"),
    "selectattr": (1, "tests", "test"),
    "rejectattr": (1, "tests", "test"),
}
"""Filters that are told by name what to apply: at which argument, and out of which table."""

RUN_TIME_ERRORS = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""What a compiled expression may raise: Jinja's own errors and those of Python's operators."""


@cache
def sandbox() -> Sandbox:
    """Return the one environment of all expressions."""
    return new_sandbox()


def compile_expression(
    source: str,
) -> tuple[tuple[Reference, ...], Callable[[Mapping[str, Any]], Json]]:
    """Return what an expression refers to and the function that gives its value."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError("the expression is too long", source[:60])
    try:
        tree = _parse(source)
        _check_names(source, tree)
        run = sandbox().compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise _syntax_error(source, error) from None
    except (RecursionError, MemoryError, SyntaxError, TypeError, ValueError) as error:
        raise ExpressionError(
            f"`${{{{ {source[:60]} }}}}` can't be compiled: {error}", source
        ) from None
    return tuple(references_in(tree)), lambda scope: _value(source, run, scope)


def _parse(source: str) -> nodes.Expr:
    parser = Parser(sandbox(), source, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("something follows the end of the expression", 1)
    return tree


def _syntax_error(source: str, error: TemplateSyntaxError) -> ExpressionError:
    message = f"`${{{{ {source} }}}}` is not an expression: {error.message}"
    return ExpressionError(message, source, _syntax_hint(source))


def _syntax_hint(source: str) -> str:
    for foreign, ours in (("&&", "and"), ("||", "or"), ("===", "=="), ("${{", "no inner `${{ }}`")):
        if foreign in source:
            return f"write `{ours}` instead of `{foreign}`"
    if "?" in source:
        return "write `a if condition else b`"
    if source.startswith("!") or "!(" in source:
        return "write `not` instead of `!`"
    if "$" in source:
        return "names stand without `$`"
    if "=" in source and "==" not in source:
        return "compare with `==`"
    return ""


def _check_names(source: str, tree: nodes.Expr) -> None:
    """Find unknown filters and tests before anything runs."""
    for kind, known in ((nodes.Filter, sandbox().filters), (nodes.Test, sandbox().tests)):
        for node in _all(tree, kind):
            if node.name not in known:
                what = "filter" if kind is nodes.Filter else "test"
                raise ExpressionError(
                    f"there is no {what} `{node.name}` in `${{{{ {source} }}}}`",
                    source,
                    did_you_mean(node.name, known),
                )
    for node in _all(tree, nodes.Filter):
        _check_named(source, node)


def _check_named(source: str, node: nodes.Filter) -> None:
    """Find the names of filters and tests that are handed to a filter: `select('defined')`."""
    place, known, what = _NAMED.get(node.name, (0, "", ""))
    if not known or len(node.args) <= place:
        return
    given = node.args[place]
    names = sandbox().filters if known == "filters" else sandbox().tests
    if isinstance(given, nodes.Const) and given.value not in names:
        raise ExpressionError(
            f"there is no {what} `{given.value}` in `${{{{ {source} }}}}`",
            source,
            did_you_mean(str(given.value), names),
        )


def _all(tree: nodes.Node, kind: type[Any]) -> Iterator[Any]:
    if isinstance(tree, kind):
        yield tree
    yield from tree.find_all(kind)


def references_in(tree: nodes.Node) -> Iterator[Reference]:
    """Yield the longest static path of every name."""
    if isinstance(tree, nodes.Call) and isinstance(tree.node, nodes.Name):
        arguments = [each.value for each in tree.args if isinstance(each, nodes.Const)]
        dynamic = len(arguments) < len(tree.args)
        yield Reference(tree.node.name, tuple(arguments), dynamic=dynamic, call=True)
        for each in tree.args:
            yield from references_in(each)
        return
    path: list[Part] = []
    node, dynamic = tree, False
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str | int):
            path.append(node.arg.value)
        else:
            yield from references_in(node.arg)
            path, dynamic = [], True
        node = node.node
    if isinstance(node, nodes.Name):
        yield Reference(node.name, tuple(reversed(path)), dynamic=dynamic)
    else:
        for child in node.iter_child_nodes():
            yield from references_in(child)


def _value(source: str, run: Callable[..., Any], scope: Mapping[str, Any]) -> Json:
    try:
        return as_json(source, run(dict(scope)))
    except UndefinedError as error:
        raise ExpressionError(f"in `${{{{ {source} }}}}` {error}", source) from None
    except SecurityError as error:
        raise ExpressionError(f"`${{{{ {source} }}}}` is not allowed: {error}", source) from None
    except RUN_TIME_ERRORS as error:
        detail = str(error) or type(error).__name__
        raise ExpressionError(f"`${{{{ {source} }}}}` failed: {detail}", source) from None


def as_json(source: str, value: Any, depth: int = 0) -> Json:
    """Return the result as JSON data; what is JSON already is returned as it is, not copied."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth > MAX_DEPTH:
        raise ExpressionError(f"`${{{{ {source} }}}}` is nested too deep", source)
    if isinstance(value, Undefined):
        raise UndefinedError(value._undefined_message)  # noqa: SLF001, Jinja offers no other way
    if isinstance(value, dict):
        plain = {str(key): as_json(source, each, depth + 1) for key, each in value.items()}
        return value if all(plain[key] is value.get(key) for key in plain) else plain
    if isinstance(value, list):
        items = [as_json(source, each, depth + 1) for each in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if isinstance(value, Mapping):
        return value
    if callable(value):
        raise ExpressionError(
            f"`${{{{ {source} }}}}` is a function, not a value", source, "call it with ()"
        )
    if hasattr(value, "__iter__"):
        return [
            as_json(source, each, depth + 1)
            for _, each in zip(range(MAX_ITEMS), value, strict=False)
        ]
    raise ExpressionError(f"`${{{{ {source} }}}}` is a {type(value).__name__}, not JSON", source)

"""The Jinja environment in which expressions run: no side effects, no surprises, bounded.

Owns what an expression may call and how large a value may grow. Imported only when an expression
is more than a dotted name. Differences from plain Jinja, each for a reason:

- a key of a mapping wins over a method of the same name (`output.items` is the key);
- what is undefined is an error that names the near ones;
- `'x' * 10**9`, `10**10**10`, `.replace`, `.join` and `~` check the size of the result first;
- within text, none is empty, true is `true`, a list is JSON.
"""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from jinja2 import StrictUndefined
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.nodes import Concat
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agentrun.workflow.hints import closest
from agentrun.workflow.text import MAX_TEXT_BYTES, text_of

MAX_INT_BITS = 4096
MAX_ARGUMENT = 1_000_000
_KEPT_FILTERS = frozenset({
    "abs", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float",
    "groupby", "indent", "int", "items", "last", "length", "list", "lower", "map", "max", "min",
    "reject", "rejectattr", "reverse", "round", "select", "selectattr", "slice", "sort",
    "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount", "wordwrap",
})  # fmt: skip
"""Not `random`, which would change on a resume, nor `attr`, which evades the rule that keys win."""

_REFUSED_METHODS = frozenset({
    "center", "encode", "expandtabs", "format", "format_map", "ljust", "rjust", "translate",
    "zfill",
})  # fmt: skip
"""Methods of str whose result is as large as an argument says, or is not text."""


class Missing(StrictUndefined):
    """An undefined value: any use of it is an error that says what is there instead."""

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        if self._undefined_hint:
            return str(self._undefined_hint)
        obj = self._undefined_obj
        if isinstance(obj, Mapping):
            near = closest(str(name), [str(key) for key in obj])
            known = ", ".join(sorted(str(key) for key in obj)[:8]) or "nothing"
            return f"there is no `{name}`: " + (
                f"did you mean `{near}`?" if near else f"it has {known}"
            )
        if obj is None:
            return f"null has no `{name}`"
        if isinstance(obj, str | int | float | list):
            return f"{_kind_of(obj)} has no `{name}`"
        return f"`{name}` is not defined"


class _Generator(CodeGenerator):
    """Compiles `a ~ b` into a bounded join with our own spelling of values."""

    def visit_Concat(self, node: Concat, frame: Frame) -> None:  # noqa: N802, Jinja's name
        self.write("environment.join_bounded((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment. One for expressions, one more for prompt files."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except KeyError:
                pass  # perhaps a method, such as `.items()`
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        try:
            return obj[argument]
        except (TypeError, LookupError, AttributeError):
            return self.undefined(obj=obj, name=argument)

    def wrap_str_format(self, _value: Any) -> None:
        """Leave `str.format` to `is_safe_attribute`, which refuses it: a width is a size."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr in _REFUSED_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            _check_product(left, right)
        elif operator == "**":
            _check_power(left, right)
        elif operator == "%" and isinstance(left, str):
            raise SecurityError("text has no `%` here: use `~` or `${{ }}` within text")
        elif operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
            _check_size(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str):
            if name == "replace":
                return _replace(owner, *args)
            if name == "join":
                return _join(args[0] if args else (), owner)
        return super().call(context, obj, *args, **kwargs)

    def join_bounded(self, parts: Iterable[Any]) -> str:
        return _join(parts)


def _kind_of(value: object) -> str:
    names = {str: "text", int: "a number", float: "a number", list: "a list", bool: "a boolean"}
    return names.get(type(value), type(value).__name__)


def _check_size(size: int) -> None:
    if size > MAX_TEXT_BYTES:
        raise SecurityError(f"the result would be larger than {MAX_TEXT_BYTES >> 20} MiB")


def _check_product(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            _check_size(len(one) * max(other, 0))
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        _check_bits(left.bit_length() * right)


def _check_bits(bits: int) -> None:
    if bits > MAX_INT_BITS:
        raise SecurityError(f"the number would have more than {MAX_INT_BITS} bits")


def _replace(value: Any, old: Any, new: Any, limit: int | None = None) -> str:
    text, old, new = text_of(value), text_of(old), text_of(new)
    _check_size(len(text) + (text.count(old) if old else len(text) + 1) * len(new))
    return text.replace(old, new, -1 if limit is None else limit)


def _join(parts: Any, d: Any = "", attribute: str | None = None) -> str:
    size, texts, separator = 0, [], text_of(d)
    for part in parts:
        texts.append(text_of(part[attribute] if attribute else part))
        size += len(texts[-1]) + len(separator)
        _check_size(size)
    return separator.join(texts)


def _lines(value: Any) -> list[str]:
    return text_of(value).splitlines()


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > 100_000:
        raise SecurityError("range() is limited to 100,000 items")
    return numbers


def _bounded(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a huge number for an argument that sets the size of the result."""

    def call(*args: Any, **kwargs: Any) -> Any:
        for value in (*args[1:], *kwargs.values()):
            if isinstance(value, int) and abs(value) > MAX_ARGUMENT:
                raise SecurityError(f"{value} is too large here")
        return wrapped(*args, **kwargs)

    if (passed := getattr(wrapped, "jinja_pass_arg", None)) is not None:
        call.jinja_pass_arg = passed  # type: ignore[attr-defined] # it wants the context first
    return call


def _sha256(value: Any) -> str:
    return hashlib.sha256(text_of(value).encode("utf-8", "surrogateescape")).hexdigest()


_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "join": _join,
    "replace": _replace,
    "string": text_of,
    "tojson": lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent),
    "fromjson": lambda value: json.loads(text_of(value)),
    "lines": _lines,
    "split": lambda value, separator=None: text_of(value).split(separator),
    "basename": lambda value: PurePosixPath(text_of(value)).name,
    "dirname": lambda value: str(PurePosixPath(text_of(value)).parent),
    "sha256": _sha256,
    "quote": lambda value: shlex.quote(text_of(value)),
}


def new_sandbox(**options: Any) -> Sandbox:
    """Return an environment with our delimiters, filters and bounds."""
    env = Sandbox(
        variable_start_string="${{",
        variable_end_string="}}",
        undefined=Missing,
        autoescape=False,
        **options,
    )
    kept = {name: env.filters[name] for name in _KEPT_FILTERS}
    for name in ("batch", "slice", "indent", "round"):
        kept[name] = _bounded(kept[name])
    env.filters.clear()
    env.filters.update(kept)
    env.filters.update(_OWN_FILTERS)
    env.globals.clear()
    env.globals.update({"range": _range, "len": len})
    return env

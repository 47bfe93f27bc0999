"""Where `${{ ... }}` stands in a text.

Owns the cutting of a text into literal parts and expressions; knows nothing of what an expression
means. An expression ends at the first `}}` outside its own quotes and brackets, so
`${{ {'a': {'b': 1}} }}` and `${{ '}}' }}` are each one. A literal `${{` is written `${{ '${{' }}`.
"""

from functools import lru_cache

from msgspec import Struct

OPEN, CLOSE = "${{", "}}"


class ExpressionError(Exception):
    """An expression can't be read or has no value. The text names it and says what is missing.

    `expression` is its source, `hint` what to do, `at` the offset of `${{` in the text it is in.
    """

    def __init__(self, message: str, expression: str = "", hint: str = "", at: int = 0) -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.expression = expression
        self.hint = hint
        self.at = at


class ValueTooLarge(ExpressionError):
    """A value can't be handed to a process as an argument or variable: kind `input_format`."""


class Span(Struct, frozen=True):
    """One `${{ source }}` in a text: `text[start:end]` is the whole of it, delimiters included."""

    start: int
    end: int
    source: str


@lru_cache(maxsize=8192)
def spans(text: str) -> tuple[Span, ...]:
    """Return every expression in the text, in order. Raises ExpressionError for one left open."""
    found: list[Span] = []
    start = text.find(OPEN)
    while start >= 0:
        end = _end_of(text, start + len(OPEN))
        if end < 0:
            line = text[start:].split("\n", 1)[0][:60]
            raise ExpressionError(
                f"`{line}` is never closed", line, "an expression ends with `}}`", start
            )
        source = text[start + len(OPEN) : end].strip()
        if not source:
            raise ExpressionError("`${{ }}` is empty", "", "write a name between the braces", start)
        found.append(Span(start, end + len(CLOSE), source))
        start = text.find(OPEN, end + len(CLOSE))
    return tuple(found)


def single(text: str) -> str | None:
    """Return the source when the text is wholly one expression (a newline after it is ignored)."""
    if not text.startswith(OPEN):
        return None
    found = spans(text)
    if len(found) == 1 and found[0].end == len(text.rstrip("\n")):
        return found[0].source
    return None


def _end_of(text: str, at: int) -> int:
    """Return the offset of the `}}` that ends the expression whose source starts at `at`."""
    close = text.find(CLOSE, at)
    body = text[at:close] if close >= 0 else ""
    if close < 0 or not any(c in body for c in "'\"{"):
        return close
    depth, quote, i = 0, "", at
    while i < len(text):
        char = text[i]
        if quote:
            if char == "\\":
                i += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif char == "}" and text.startswith(CLOSE, i):
            return i
        i += 1
    return -1

"""The YAML parser's complaints in plain words, with what to do. Imported only when there is one."""

import yaml

from agentrun.workflow.yaml_builder import Unreadable

_QUOTE = 'quote the text: "..."'
_WORDS = (
    ("'\\t' that cannot start", "a tab stands where YAML wants spaces", "indent with spaces"),
    ("mapping values are not allowed", "a `:` followed by a space stands inside unquoted text",
     f"{_QUOTE}, or check the indentation"),
    ("expected ',' or '}'", "the `{ ... }` is not closed, or holds unquoted text with braces",
     'quote expressions inside braces: "${{ ... }}"'),
    ("expected ',' or ']'", "the `[ ... ]` is not closed, or holds unquoted text with brackets",
     'quote expressions inside brackets: "${{ ... }}"'),
    ("could not find expected ':'", "a key without `:`, or text that is not indented enough", ""),
    ("expected <block end>", "the indentation does not fit the lines above",
     "keys of one mapping start in the same column"),
    ("did not find expected <document start>", "this does not belong to the document above", ""),
    ("while scanning a quoted scalar", "the quote is never closed", ""),
    ("found unexpected end of stream", "the quote is never closed", ""),
    ("that cannot start any token", "unquoted text can't start with this character", _QUOTE),
    ("unknown escape character", "an unknown `\\` escape inside double quotes",
     "use single quotes, or write `\\\\`"),
    ("found unknown escape", "an unknown `\\` escape inside double quotes",
     "use single quotes, or write `\\\\`"),
    ("block sequence entries are not allowed", "a list item can't stand here",
     "start the list on a line of its own"),
    ("found duplicate anchor", "an anchor is defined twice", ""),
    ("sequence entries", "a list item can't stand here", ""),
)  # fmt: skip


def worded(error: yaml.YAMLError, text: str) -> Unreadable:
    """Return the error with its place, said for people who don't know the parser's terms."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = str(getattr(error, "problem", None) or error)
    said = f"{getattr(error, 'context', None) or ''}: {problem}"
    row = text.split("\n")[line - 1] if 0 < line <= text.count("\n") + 1 else ""
    for pattern, message, hint in _WORDS:
        if pattern in said:
            return Unreadable(message, line, column, _special(row) or hint)
    return Unreadable(f"this is not YAML: {problem}", line, column, _special(row))


def _special(row: str) -> str:
    """Return a hint for what people write most often."""
    value = row.split(":", 1)[-1].strip()
    if value.startswith("{{"):
        return "an expression is written `${{ ... }}`"
    if value.startswith(("@", "`")):
        return 'quote the text: "..."'
    return ""

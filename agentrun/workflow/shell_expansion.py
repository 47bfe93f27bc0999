"""The shell's `${name...}`: where in it a value is data.

Works on the scanner of `shell_scan.py`; apart from it for length only.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentrun.workflow.shell_scan import Scanner

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[-@*#?$!]")
_VALUE_OPERATOR = re.compile(r":?[-=+?]")
_PATTERN_OPERATOR = re.compile(r"##?|%%?|//?|\^\^?|,,?")


def parameter(s: "Scanner", *, quoted: bool) -> None:
    """Take `${name...}`: a value may stand in the word after an operator, nowhere else."""
    start = s.at
    s.at += 2
    if s.starts("!") or (s.starts("#") and not s.starts("#}")):
        s.at += 1
    name = _PARAMETER.match(s.text, s.at, s.end)
    if name is not None and s.value_here() is None:
        s.at = name.end()
    if s.starts("["):
        _subscript(s)
    if operator := _VALUE_OPERATOR.match(s.text, s.at, s.end):
        s.at = operator.end()
        _word(s, quoted=quoted, pattern=False)
    elif operator := _PATTERN_OPERATOR.match(s.text, s.at, s.end):
        s.at = operator.end()
        _word(s, quoted=quoted, pattern=True)
    else:
        _rest(s, start)


def _subscript(s: "Scanner") -> None:
    start = s.at
    while s.at < s.end and s.text[s.at] != "]":
        span = s.value_here()
        s.at = span.end if span is not None else s.at + 1
    message = "in an array's subscript the shell runs what a value holds (`$(...)`)"
    s.refuse_within(start, s.at, message, "use a fixed subscript, or a python step")
    s.at = min(s.at + 1, s.end)


def _rest(s: "Scanner", start: int) -> None:
    """Take what is left up to `}`: a substring's numbers, a name that is a value."""
    while s.at < s.end and s.text[s.at] != "}":
        span = s.value_here()
        s.at = span.end if span is not None else s.at + 1
    message = "a value can't be a variable's name, nor a number in `${name:from:count}`"
    s.refuse_within(start, s.at, message, "cut it in the expression: ${{ inputs.text[2:5] }}")
    s.at = min(s.at + 1, s.end)


def _word(s: "Scanner", *, quoted: bool, pattern: bool) -> None:
    """Take the word of an expansion. In a pattern a value is quoted: it stands for itself."""
    spelling = "bare" if quoted and not pattern else "quoted"
    while s.at < s.end and s.text[s.at] != "}":
        span = s.value_here()
        char = s.text[s.at]
        if span is not None:
            s.put(span, "bare" if spelling == "bare" else "quoted")
        elif char == "\\":
            s.escape()
        elif char == "'" and (not quoted or pattern):
            s.single_quoted(None)
        elif char == '"':
            s.double_quoted(None)
        elif char == "`":
            s.backticks()
        elif char == "$":
            s.dollar(None, quoted=quoted and not pattern)
        else:
            s.at += 1
    s.at = min(s.at + 1, s.end)

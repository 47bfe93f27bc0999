"""The two thorny parts of the shell's grammar: operators between words, and `${name...}`.

Works on the scanner of `shell_scan.py`; apart from it for length only.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentrun.workflow.shell_scan import Scanner, _Commands

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[-@*#?$!]")
_VALUE_OPERATOR = re.compile(r":?[-=+?]")
_PATTERN_OPERATOR = re.compile(r"##?|%%?|//?|\^\^?|,,?")


def parameter(s: "Scanner", *, quoted: bool) -> None:
    """Take `${name...}`: a value may stand in the word after an operator, nowhere else."""
    start = s.at
    s.at += 2
    if s._starts("!") or (s._starts("#") and not s._starts("#}")):
        s.at += 1
    name = _PARAMETER.match(s.text, s.at, s.end)
    if name is not None and s._span() is None:
        s.at = name.end()
    if s._starts("["):
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
        span = s._span()
        s.at = span.end if span is not None else s.at + 1
    message = "in an array's subscript the shell runs what a value holds (`$(...)`)"
    s._refuse_within(start, s.at, message, "use a fixed subscript, or a python step")
    s.at = min(s.at + 1, s.end)


def _rest(s: "Scanner", start: int) -> None:
    """Take what is left up to `}`: a substring's numbers, a name that is a value."""
    while s.at < s.end and s.text[s.at] != "}":
        span = s._span()
        s.at = span.end if span is not None else s.at + 1
    message = "a value can't be a variable's name, nor a number in `${name:from:count}`"
    s._refuse_within(start, s.at, message, "cut it in the expression: ${{ inputs.text[2:5] }}")
    s.at = min(s.at + 1, s.end)


def _word(s: "Scanner", *, quoted: bool, pattern: bool) -> None:
    """Take the word of an expansion. In a pattern a value is quoted, so that it stands for itself."""
    spelling = "bare" if quoted and not pattern else "quoted"
    while s.at < s.end and s.text[s.at] != "}":
        span = s._span()
        char = s.text[s.at]
        if span is not None:
            s._put(span, "bare" if spelling == "bare" else "quoted")
        elif char == "\\":
            s._escape()
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


def operator(c: "_Commands", char: str) -> None:
    """Take one of `; & | < > ( )` outside of quotes."""
    if char in "<>":
        _redirect(c)
    elif char == "(":
        _open(c)
    elif char == ")":
        _close(c)
    elif c.s._starts("&>"):
        c._end_word()
        c.s.at += 3 if c.s._starts("&>>") else 2
        c.after_redirect = True
    else:
        _separator(c, char)


def _separator(c: "_Commands", char: str) -> None:
    s = c.s
    if c.command.conditional and "]]" not in [each.text for each in c.command.words]:
        c._end_word()
        s.at += 2 if s.text[s.at : s.at + 2] in ("&&", "||") else 1
        return
    piped = char == "|" and not s._starts("||")
    if c.cases and c.cases[-1] == "pattern" and char == "|":
        c._end_word()
        c.command.words.clear()
        s.at += 1
        return
    case_end = next((each for each in (";;&", ";;", ";&") if s._starts(each)), "")
    c._end_command()
    if case_end:
        s.at += len(case_end)
        if c.cases:
            c.cases[-1] = "pattern"
        return
    s.at += 2 if s.text[s.at : s.at + 2] in ("&&", "||", "|&") else 1
    c.command.piped = piped


def _redirect(c: "_Commands") -> None:
    s = c.s
    if c.command.conditional and "]]" not in [each.text for each in c.command.words]:
        c._end_word()
        s.at += 1
    elif s._starts("<(") or s._starts(">("):
        c.word.began = True
        c.word.text += "<>"
        c.word.shape += "<>"
        s.at += 2
        s._nested_commands()
    elif s._starts("<<<"):
        c._end_word()
        s.at += 3
        _here_string(c)
    elif s._starts("<<"):
        if not c.word.text.isdigit():
            c._end_word()
        c.word = type(c.word)()
        s.at += 2
        s.expect_heredoc(c.command)
    else:
        if c.word.text.isdigit():
            c.word = type(c.word)()
        c._end_word()
        s.at += 1
        while s.at < s.end and s.text[s.at] in "<>&|" and s._span() is None:
            s.at += 1
        c.after_redirect = True


def _here_string(c: "_Commands") -> None:
    """Take the word after `<<<`; its values are what the command reads."""
    s = c.s
    while s._starts(" ") or s._starts("\t"):
        s.at += 1
    known = len(s.places)
    while s.at < s.end and s.text[s.at] not in " \t\n;&|<>()":
        c._step()
    c.command.inputs += [place.span for place in s.places[known:]]
    c.word = type(c.word)()


def _open(c: "_Commands") -> None:
    s = c.s
    shape = c.word.shape
    if not c.word.began and not c.command.words and s._starts("(("):
        s.arithmetic(2, "))")
        return
    if not c.word.began and [each.text for each in c.command.words] == ["for"] and s._starts("(("):
        s.arithmetic(2, "))")
        return
    if c.cases and c.cases[-1] == "pattern" and not c.word.began:
        s.at += 1
        return
    if shape.endswith("="):
        _array(c)
        return
    if c.word.began and shape[-1:] in "@?*+!":
        _extended_glob(c)
        return
    c._end_word()
    if c.command.conditional:
        s.at += 1
        return
    c._end_command()
    s.at += 1
    c.parens += 1


def _array(c: "_Commands") -> None:
    """Take the elements of `name=(...)`: words, where a value is data."""
    s = c.s
    s.at += 1
    depth_word, c.word = c.word, type(c.word)()
    command, c.command = c.command, type(c.command)()
    c.command.words.append(depth_word)
    c.parens += 1
    while s.at < s.end and not s._starts(")"):
        if s.text[s.at] == "\n":
            c._end_word()
            s.newline()
        elif s.text[s.at] in ";&|<>(":
            s.at += 1
        else:
            c._step()
    c._end_word()
    c.parens -= 1
    c.command, c.word = command, depth_word
    s.at = min(s.at + 1, s.end)


def _extended_glob(c: "_Commands") -> None:
    """Take `@(a|b)` as part of a word."""
    s = c.s
    s.at += 1
    depth = 1
    while s.at < s.end and depth:
        char = s.text[s.at]
        if s._span() is None and char in "()|":
            depth += (char == "(") - (char == ")")
            s.at += 1
        elif char in " \t\n;&<>":
            s.at += 1
        else:
            c._step()


def _close(c: "_Commands") -> None:
    s = c.s
    if c.cases and c.cases[-1] == "pattern":
        c._end_word()
        c.command.words.clear()
        c.cases[-1] = "body"
    elif c.command.conditional:
        c._end_word()
    else:
        c._end_command()
        c.parens = max(c.parens - 1, 0)
    s.at += 1

"""The operators between the words of a shell command: `; & | < > ( )`.

Works on the state of `shell_commands.py`; apart from it for length only.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentrun.workflow.shell_commands import Commands


def operator(c: "Commands", char: str) -> None:
    """Take one of `; & | < > ( )` outside of quotes."""
    if char in "<>":
        _redirect(c)
    elif char == "(":
        _open(c)
    elif char == ")":
        _close(c)
    elif c.s.starts("&>"):
        c.end_word()
        c.s.at += 3 if c.s.starts("&>>") else 2
        c.after_redirect = True
    else:
        _separator(c, char)


def _separator(c: "Commands", char: str) -> None:
    s = c.s
    if c.command.conditional and "]]" not in [each.text for each in c.command.words]:
        c.end_word()
        s.at += 2 if s.text[s.at : s.at + 2] in ("&&", "||") else 1
        return
    piped = char == "|" and not s.starts("||")
    if c.cases and c.cases[-1] == "pattern" and char == "|":
        c.end_word()
        c.command.words.clear()
        s.at += 1
        return
    case_end = next((each for each in (";;&", ";;", ";&") if s.starts(each)), "")
    c.end_command()
    if case_end:
        s.at += len(case_end)
        if c.cases:
            c.cases[-1] = "pattern"
        return
    s.at += 2 if s.text[s.at : s.at + 2] in ("&&", "||", "|&") else 1
    c.command.piped = piped


def _redirect(c: "Commands") -> None:
    s = c.s
    if c.command.conditional and "]]" not in [each.text for each in c.command.words]:
        c.end_word()
        s.at += 1
    elif s.starts("<(") or s.starts(">("):
        c.word.began = True
        c.word.text += "<>"
        c.word.shape += "<>"
        s.at += 2
        s.nested_commands()
    elif s.starts("<<<"):
        c.end_word()
        s.at += 3
        _here_string(c)
    elif s.starts("<<"):
        if not c.word.text.isdigit():
            c.end_word()
        c.word = type(c.word)()
        s.at += 2
        s.expect_heredoc(c.command)
    else:
        if c.word.text.isdigit():
            c.word = type(c.word)()
        c.end_word()
        s.at += 1
        while s.at < s.end and s.text[s.at] in "<>&|" and s.value_here() is None:
            s.at += 1
        c.after_redirect = True


def _here_string(c: "Commands") -> None:
    """Take the word after `<<<`; its values are what the command reads."""
    s = c.s
    while s.starts(" ") or s.starts("\t"):
        s.at += 1
    known = len(s.places)
    while s.at < s.end and s.text[s.at] not in " \t\n;&|<>()":
        c.step()
    c.command.inputs += [place.span for place in s.places[known:]]
    c.word = type(c.word)()


def _open(c: "Commands") -> None:
    s = c.s
    shape = c.word.shape
    if not c.word.began and not c.command.words and s.starts("(("):
        s.arithmetic(2, "))")
        return
    if not c.word.began and [each.text for each in c.command.words] == ["for"] and s.starts("(("):
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
    c.end_word()
    if c.command.conditional:
        s.at += 1
        return
    c.end_command()
    s.at += 1
    c.parens += 1


def _array(c: "Commands") -> None:
    """Take the elements of `name=(...)`: words, where a value is data."""
    s = c.s
    s.at += 1
    depth_word, c.word = c.word, type(c.word)()
    command, c.command = c.command, type(c.command)()
    c.command.words.append(depth_word)
    c.parens += 1
    while s.at < s.end and not s.starts(")"):
        if s.text[s.at] == "\n":
            c.end_word()
            s.newline()
        elif s.text[s.at] in ";&|<>(":
            s.at += 1
        else:
            c.step()
    c.end_word()
    c.parens -= 1
    c.command, c.word = command, depth_word
    s.at = min(s.at + 1, s.end)


def _extended_glob(c: "Commands") -> None:
    """Take `@(a|b)` as part of a word."""
    s = c.s
    s.at += 1
    depth = 1
    while s.at < s.end and depth:
        char = s.text[s.at]
        if s.value_here() is None and char in "()|":
            depth += (char == "(") - (char == ")")
            s.at += 1
        elif char in " \t\n;&<>":
            s.at += 1
        else:
            c.step()


def _close(c: "Commands") -> None:
    s = c.s
    if c.cases and c.cases[-1] == "pattern":
        c.end_word()
        c.command.words.clear()
        c.cases[-1] = "body"
    elif c.command.conditional:
        c.end_word()
    else:
        c.end_command()
        c.parens = max(c.parens - 1, 0)
    s.at += 1

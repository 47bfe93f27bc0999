"""The commands of a shell text: where one ends and the next begins, and the words they have.

Owns the level between quotes (`shell_scan.py`) and meaning (`shell_rules.py`): separators,
redirections, `case`, `[[ ]]`, comments, arrays, reserved words.
"""

import re
from collections.abc import Sequence

from agentrun.workflow.shell_operators import operator
from agentrun.workflow.shell_scan import QUOTED, VALUE, Command, Scanner, Word
from agentrun.workflow.template import Span

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^]]*\])?\+?=")
_BEFORE_COMMAND = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "coproc"}
)


def scanned(text: str, spans: Sequence[Span]) -> Scanner:
    """Return the scanner after its one pass over a text."""
    scanner = Scanner(text, spans, lambda at, closer: Commands(at, closer).run())
    scanner.scan()
    return scanner


class Commands:
    """The commands of one level: up to `)`, or the end of the text."""

    def __init__(self, scanner: Scanner, closer: str) -> None:
        self.s = scanner
        self.closer = closer
        self.command = Command()
        self.word = Word()
        self.cases: list[str] = []
        self.parens = 0
        self.after_redirect = False

    def run(self) -> None:
        s = self.s
        while s.at < s.end:
            if s.starts(self.closer) and self.closer and self._closes():
                break
            self.step()
        self.end_command()
        s.at = min(s.at + len(self.closer), s.end)

    def _closes(self) -> bool:
        if self.parens:
            return False
        return not (self.cases and self.cases[-1] == "pattern" and not self._is_esac())

    def _is_esac(self) -> bool:
        return self.word.text == "esac"

    def step(self) -> None:
        s = self.s
        char = s.text[s.at]
        span = s.value_here()
        if span is not None:
            self._value(span)
        elif char == "\\":
            self._backslash()
        elif char in " \t":
            self.end_word()
            s.at += 1
        elif char == "\n":
            self.end_command()
            s.newline()
        elif char == "#" and not self.word.began:
            self._comment()
        elif char == "'":
            self.word.began = True
            s.single_quoted(self.word)
        elif char == '"':
            self.word.began = True
            s.double_quoted(self.word)
        elif char == "`":
            self.word.began = True
            s.backticks()
        elif char == "$":
            self._dollar()
        elif char in ";&|<>()":
            operator(self, char)
        elif char == "[" and self._subscript_here():
            self._subscript()
        else:
            self._plain(char)

    def _plain(self, char: str) -> None:
        self.word.began = True
        self.word.text += char
        self.word.shape += char
        self.s.at += 1

    def _value(self, span: Span) -> None:
        self.word.began = True
        self.word.values.append(span)
        self.word.text += VALUE
        self.word.shape += VALUE
        self.s.put(span, "quoted")

    def _backslash(self) -> None:
        s = self.s
        if s.starts("\\\n"):
            s.at += 2
            return
        self.word.began = True
        following = s.text[s.at + 1 : s.at + 2]
        self.word.text += following
        self.word.shape += QUOTED * len(following)
        s.escape()

    def _dollar(self) -> None:
        s = self.s
        self.word.began = True
        start, values = s.at, len(self.word.values)
        text = self.word.text
        s.dollar(self.word, quoted=False)
        if self.word.text == text and len(self.word.values) == values:
            taken = s.text[start : s.at]
            self.word.text += taken
            self.word.shape += taken if len(taken) == 1 else QUOTED * len(taken)

    def _comment(self) -> None:
        s = self.s
        while s.at < s.end and s.text[s.at] != "\n":
            span = s.value_here()
            if span is not None:
                s.put(span, "none")
            else:
                s.at += 1

    def _subscript_here(self) -> bool:
        """Say whether `[` opens an array subscript: `name[` where an assignment may stand."""
        shape = self.word.shape
        first = all(_ASSIGNMENT.match(each.shape) for each in self.command.words)
        in_array = self.parens > 0 and not shape and bool(self.command.words)
        return (first and bool(_NAME.fullmatch(shape))) or in_array

    def _subscript(self) -> None:
        s = self.s
        start = s.at
        while s.at < s.end and s.text[s.at] not in "]\n":
            span = s.value_here()
            s.at = span.end if span is not None else s.at + 1
        message = "in an array's subscript the shell runs what a value holds (`$(...)`)"
        s.refuse_within(start, s.at, message, "use a fixed subscript, or a python step")
        self.word.began = True
        self.word.text += "[]"
        self.word.shape += "[]"
        s.at = min(s.at + 1, s.end)

    def end_word(self) -> None:
        word, self.word = self.word, Word()
        if not word.began:
            return
        if self.after_redirect:
            self.after_redirect = False
            return
        if self._is_reserved(word):
            return
        if re.search(r"\{[^{}]*(\0[^{}]*\.\.|\.\.[^{}]*\0)[^{}]*\}", word.shape):
            for span in word.values:
                self.s.refuse(
                    span, "in `{1..n}` the shell replaces nothing", "use `$(seq 1 ${{ n }})`"
                )
        self.command.words.append(word)
        texts = [each.text for each in self.command.words]
        if texts[0] == "case" and len(texts) == 3 and texts[2] == "in":
            self.cases.append("pattern")
            self.end_command()

    def _is_reserved(self, word: Word) -> bool:
        """Handle the words after which a new command begins."""
        if self.command.words or QUOTED in word.shape:
            return False
        if self.cases and word.text == "esac":
            self.cases.pop()
            return True
        if word.text == "[[":
            self.command.conditional = True
        return word.text in _BEFORE_COMMAND

    def end_command(self) -> None:
        self.end_word()
        if self.command.words or self.command.inputs:
            self.s.commands.append(self.command)
        self.command = Command()

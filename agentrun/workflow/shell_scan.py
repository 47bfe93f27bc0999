"""Finds in which quoting context of a shell command each `${{ }}` stands.

Owns a scanner of the shell's grammar as far as it decides what is data and what is program: words,
quotes, `$(...)`, backticks, `${x:-...}`, arithmetic, here-documents, `case`, `[[ ]]`, comments. It
knows the syntax of bash, which covers sh and zsh where values may stand. It refuses to know which
programs run their arguments (`shell_rules.py`).

Every value becomes a `Place`: how its reference must be spelled there. A place where the shell
would read a value as program text, or where no reference is expanded, is a `Refusal`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agentrun.workflow.template import Span

Spelling = Literal["quoted", "bare", "none"]
"""`"${V}"` outside of double quotes, `${V}` inside of them, nothing within a comment."""

VALUE = "\0"
"""Stands for a value in the text of a word."""
QUOTED = "\1"
"""Stands for a quoted character in the shape of a word."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^]]*\])?\+?=")
_BEFORE_COMMAND = frozenset(
    {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "coproc"}
)
MAX_NESTING = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where one value goes: `text[start:end]` is replaced; a lone `$` before it is escaped."""

    span: Span
    spelling: Spelling
    dollar: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that can't stay data where it is."""

    span: Span
    message: str
    hint: str


@dataclass(slots=True)
class Word:
    """A word: its text with quotes removed, values as NUL; `shape` has quoted characters as \\1."""

    text: str = ""
    shape: str = ""
    values: list[Span] = field(default_factory=list)
    began: bool = False


@dataclass(slots=True)
class Command:
    """A simple command: its words, and what it reads. `piped` says that it reads a pipe."""

    words: list[Word] = field(default_factory=list)
    inputs: list[Span] = field(default_factory=list)
    piped: bool = False
    conditional: bool = False


@dataclass(slots=True)
class _HereDoc:
    delimiter: str
    quoted: bool
    strip_tabs: bool
    command: Command


class Scanner:
    """One pass over a command. Results are in `places`, `refusals` and `commands`."""

    def __init__(self, text: str, spans: Sequence[Span]) -> None:
        self.text = text
        self.at = 0
        self.end = len(text)
        self.spans = {span.start: span for span in spans}
        self.places: list[Place] = []
        self.refusals: list[Refusal] = []
        self.commands: list[Command] = []
        self._pending: list[_HereDoc] = []
        self._depth = 0
        self._in_backticks = False

    # --- small steps

    def _starts(self, text: str) -> bool:
        return self.text.startswith(text, self.at) and self.at + len(text) <= self.end

    def _span(self) -> Span | None:
        return self.spans.get(self.at) if self.at < self.end else None

    def _refuse(self, span: Span, message: str, hint: str) -> None:
        self.refusals.append(Refusal(span, message, hint))

    def _refuse_within(self, start: int, end: int, message: str, hint: str) -> None:
        for at, span in self.spans.items():
            if start <= at < end:
                self._refuse(span, message, hint)

    def _put(self, span: Span, spelling: Spelling, *, dollar: bool = False) -> None:
        if dollar and self._in_backticks:
            self._refuse(
                span, "a `$` before a value in backticks is not the character `$`", "use `$(...)`"
            )
        self.places.append(Place(span, spelling, dollar))
        self.at = span.end

    # --- commands

    def scan(self) -> None:
        """Scan the whole text."""
        while self.at < self.end:
            before = self.at
            self.commands_until("")
            if self.at == before:
                self.at += 1

    def commands_until(self, closer: str) -> None:
        """Scan commands up to the closing `)` or backtick of what they stand in."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.at = self.end
        _Commands(self, closer).run()
        self._depth -= 1

    def newline(self) -> None:
        """Take a newline, and the here-documents that begin after it."""
        self.at += 1
        pending, self._pending = self._pending, []
        for each in pending:
            self._body(each)

    def expect_heredoc(self, command: Command) -> None:
        """Read the delimiter after `<<`; the body follows at the end of the line."""
        strip_tabs = self._starts("-")
        self.at += strip_tabs
        while self._starts(" ") or self._starts("\t"):
            self.at += 1
        delimiter, quoted = "", False
        while self.at < self.end and self.text[self.at] not in " \t\n;|&<>()":
            if (span := self._span()) is not None:
                self._refuse(
                    span, "a value can't be the end mark of a here-document", "write a fixed word"
                )
                self.at = span.end
                continue
            char = self.text[self.at]
            quoted = quoted or char in "'\"\\"
            delimiter += "" if char in "'\"\\" else char
            self.at += 1
        self._pending.append(_HereDoc(delimiter, quoted, strip_tabs, command))

    def _body(self, doc: _HereDoc) -> None:
        start = self.at
        stop, after = self._body_end(doc)
        if doc.quoted:
            message = (
                f"nothing is replaced in a here-document whose mark `{doc.delimiter}` is quoted"
            )
            self._refuse_within(start, stop, message, f"write `<<{doc.delimiter}` without quotes")
        else:
            outer, self.end = self.end, stop
            while self.at < self.end:
                span = self._span()
                if span is not None:
                    doc.command.inputs.append(span)
                self.double_quoted_part(span, in_heredoc=True)
            self.end = outer
        self.at = after

    def _body_end(self, doc: _HereDoc) -> tuple[int, int]:
        """Return where the body ends and where the text goes on."""
        at = self.at
        while at < self.end:
            stop = self.text.find("\n", at, self.end)
            inside = [s for s in self.spans.values() if at <= s.start and s.start < stop < s.end]
            while inside:
                stop = self.text.find("\n", inside[0].end, self.end)
                inside = [s for s in self.spans.values() if s.start < stop < s.end]
            stop = self.end if stop < 0 else stop
            line = self.text[at:stop]
            if (line.lstrip("\t") if doc.strip_tabs else line) == doc.delimiter:
                return at, min(stop + 1, self.end)
            at = stop + 1
        return self.end, self.end

    # --- quotes and expansions; each starts on the character it is named after

    def single_quoted(self, word: Word | None, *, ansi: bool = False) -> None:
        """Take `'...'` or `$'...'`, where no value can stand."""
        start = self.at + (2 if ansi else 1)
        stop = start
        while stop < self.end and self.text[stop] != "'":
            if (span := self.spans.get(stop)) is not None:
                stop = span.end
                continue
            stop += 2 if ansi and self.text[stop] == "\\" else 1
        quotes = "$'...'" if ansi else "single quotes"
        message = f"inside {quotes} the shell replaces nothing"
        hint = "use double quotes, or end the quotes before it: '...'\"${{ x }}\"'...'"
        self._refuse_within(start, stop, message, hint)
        if word is not None:
            text = self.text[start:stop]
            word.text, word.shape = word.text + text, word.shape + QUOTED * len(text)
        self.at = min(stop + 1, self.end)

    def double_quoted(self, word: Word | None) -> None:
        """Take `"..."`."""
        self.at += 1
        while self.at < self.end and self.text[self.at] != '"':
            span = self._span()
            start = self.at
            self.double_quoted_part(span)
            if word is not None:
                taken = VALUE if span else self.text[start : self.at].removeprefix("\\")
                word.text, word.shape = word.text + taken, word.shape + QUOTED * len(taken)
                if span:
                    word.values.append(span)
        self.at = min(self.at + 1, self.end)

    def double_quoted_part(self, span: Span | None, *, in_heredoc: bool = False) -> None:
        """Take one character, value or expansion inside double quotes or a here-document."""
        char = self.text[self.at]
        if span is not None:
            self._put(span, "bare")
        elif char == "\\":
            self._escape()
        elif char == "`":
            self.backticks()
        elif char == "$":
            self.dollar(None, quoted=True)
        else:
            self.at += 1

    def _escape(self) -> None:
        """Take a backslash and what follows it."""
        self.at += 1
        if (span := self._span()) is not None:
            self._refuse(
                span, "a backslash before `${{` hides it from the shell", "remove the backslash"
            )
            self.at = span.end
        else:
            self.at = min(self.at + 1, self.end)

    def backticks(self) -> None:
        """Take a backquoted command."""
        start = self.at + 1
        stop = start
        while stop < self.end and self.text[stop] != "`":
            if (span := self.spans.get(stop)) is not None:
                stop = span.end
                continue
            stop += 2 if self.text[stop] == "\\" else 1
        stop = min(stop, self.end)
        if self._in_backticks or "\\" in self.text[start:stop]:
            message = "in backticks with a backslash a value's quoting can't be kept"
            self._refuse_within(start, stop, message, "use `$(...)`")
            self.at = min(stop + 1, self.end)
            return
        outer, self.end, self._in_backticks = self.end, stop, True
        pending, self._pending = self._pending, []
        self.at = start
        while self.at < self.end:
            self.commands_until("")
            self.at += self.at < self.end
        self.end, self._in_backticks, self._pending = outer, False, pending
        self.at = min(stop + 1, self.end)

    def dollar(self, word: Word | None, *, quoted: bool) -> None:
        """Take what begins with `$` and is not a value."""
        if (span := self.spans.get(self.at + 1)) is not None and self.at + 1 < self.end:
            self.at += 1
            if word is not None:
                word.values.append(span)
                word.text, word.shape = f"{word.text}${VALUE}", f"{word.shape}{QUOTED}{VALUE}"
            self._put(span, "bare" if quoted else "quoted", dollar=True)
        elif self._starts("$(("):
            self.arithmetic(3, "))")
        elif self._starts("$["):
            self.arithmetic(2, "]")
        elif self._starts("$("):
            self.at += 2
            self._nested_commands()
        elif self._starts("${"):
            from agentrun.workflow.shell_expansion import parameter

            parameter(self, quoted=quoted)
        elif self._starts("$'") and not quoted:
            self.at += 0
            self.single_quoted(word, ansi=True)
        elif self._starts('$"') and not quoted:
            self.at += 1
            self.double_quoted(word)
        else:
            self.at += 2 if self._starts("$$") else 1

    def _nested_commands(self) -> None:
        pending, self._pending = self._pending, []
        self.commands_until(")")
        self._pending = pending + self._pending

    def arithmetic(self, skip: int, closer: str) -> None:
        """Take an arithmetic expression, where the shell evaluates whatever a value holds."""
        start = self.at
        self.at += skip
        depth = 0
        while self.at < self.end and not (depth == 0 and self._starts(closer)):
            span = self._span()
            if span is not None:
                self.at = span.end
                continue
            char = self.text[self.at]
            depth += (char == "(") - (char == ")" and depth > 0)
            self.at += 1
        message = "in arithmetic the shell runs what a value holds (`a[$(...)]`)"
        hint = "compute it in the expression itself: ${{ inputs.n + 1 }}; or write `$( (` for a subshell"
        self._refuse_within(start, self.at, message, hint)
        self.at = min(self.at + len(closer), self.end)


class _Commands:
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
            if s._starts(self.closer) and self.closer and self._closes():
                break
            self._step()
        self._end_command()
        s.at = min(s.at + len(self.closer), s.end)

    def _closes(self) -> bool:
        if self.parens:
            return False
        return not (self.cases and self.cases[-1] == "pattern" and not self._is_esac())

    def _is_esac(self) -> bool:
        return self.word.text == "esac"

    def _step(self) -> None:
        from agentrun.workflow.shell_expansion import operator

        s = self.s
        char = s.text[s.at]
        span = s._span()
        if span is not None:
            self._value(span)
        elif char == "\\":
            self._backslash()
        elif char in " \t":
            self._end_word()
            s.at += 1
        elif char == "\n":
            self._end_command()
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
        self.s._put(span, "quoted")

    def _backslash(self) -> None:
        s = self.s
        if s._starts("\\\n"):
            s.at += 2
            return
        self.word.began = True
        following = s.text[s.at + 1 : s.at + 2]
        self.word.text += following
        self.word.shape += QUOTED * len(following)
        s._escape()

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
            span = s._span()
            if span is not None:
                s._put(span, "none")
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
            span = s._span()
            s.at = span.end if span is not None else s.at + 1
        message = "in an array's subscript the shell runs what a value holds (`$(...)`)"
        s._refuse_within(start, s.at, message, "use a fixed subscript, or a python step")
        self.word.began = True
        self.word.text += "[]"
        self.word.shape += "[]"
        s.at = min(s.at + 1, s.end)

    def _end_word(self) -> None:
        word, self.word = self.word, Word()
        if not word.began:
            return
        if self.after_redirect:
            self.after_redirect = False
            self.command.inputs += word.values if self.command.conditional is None else []
            return
        if self._is_reserved(word):
            return
        if re.search(r"\{[^{}]*(\0[^{}]*\.\.|\.\.[^{}]*\0)[^{}]*\}", word.shape):
            for span in word.values:
                self.s._refuse(
                    span, "in `{1..n}` the shell replaces nothing", "use `$(seq 1 ${{ n }})`"
                )
        self.command.words.append(word)
        texts = [each.text for each in self.command.words]
        if texts[0] == "case" and len(texts) == 3 and texts[2] == "in":
            self.cases.append("pattern")
            self._end_command()

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

    def _end_command(self) -> None:
        self._end_word()
        if self.command.words or self.command.inputs:
            self.s.commands.append(self.command)
        self.command = Command()

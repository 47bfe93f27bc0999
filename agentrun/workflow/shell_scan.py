"""Finds in which quoting context of a shell command each `${{ }}` stands.

Owns a scanner of the shell's grammar as far as it decides what is data and what is program: words,
quotes, `$(...)`, backticks, `${x:-...}`, arithmetic, here-documents, `case`, `[[ ]]`, comments. It
knows the syntax of bash, which covers sh and zsh where values may stand. It refuses to know which
programs run their arguments (`shell_rules.py`).

Every value becomes a `Place`: how its reference must be spelled there. A place where the shell
would read a value as program text, or where no reference is expanded, is a `Refusal`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct, field

from agentrun.workflow.shell_expansion import parameter
from agentrun.workflow.template import Span

Spelling = Literal["quoted", "bare", "none"]
"""`"${V}"` outside of double quotes, `${V}` inside of them, nothing within a comment."""

VALUE = "\0"
"""Stands for a value in the text of a word."""
QUOTED = "\1"
"""Stands for a quoted character in the shape of a word."""

MAX_NESTING = 50


_ARITHMETIC = (
    "in arithmetic the shell runs what a value holds (`a[$(...)]`)",
    "make it a number: ${{ inputs.n | int }}; a subshell is written `$( (`",
)


def is_integer(span: Span) -> bool:
    """Say whether an expression can only give an integer, which is harmless in arithmetic."""
    return span.source.replace(" ", "").endswith("|int")


class Place(Struct, frozen=True):
    """Where one value goes: `text[start:end]` is replaced; a lone `$` before it is escaped."""

    span: Span
    spelling: Spelling
    dollar: bool = False


class Refusal(Struct, frozen=True):
    """A value that can't stay data where it is."""

    span: Span
    message: str
    hint: str


class Word(Struct):
    """A word: its text without quotes, values as VALUE; in `shape` quoted characters are QUOTED."""

    text: str = ""
    shape: str = ""
    values: list[Span] = field(default_factory=list)
    began: bool = False


class Command(Struct):
    """A simple command: its words, and what it reads. `piped` says that it reads a pipe."""

    words: list[Word] = field(default_factory=list)
    inputs: list[Span] = field(default_factory=list)
    piped: bool = False
    conditional: bool = False


class _HereDoc(Struct):
    delimiter: str
    quoted: bool
    strip_tabs: bool
    command: Command


class Scanner:
    """One pass over a command. Results are in `places`, `refusals` and `commands`."""

    def __init__(
        self, text: str, spans: Sequence[Span], read_commands: "Callable[[Scanner, str], None]"
    ) -> None:
        self._read_commands = read_commands
        self.text = text
        self.at = 0
        self.end = len(text)
        self.spans = {span.start: span for span in spans}
        self.places: list[Place] = []
        self.refusals: list[Refusal] = []
        self.commands: list[Command] = []
        self.arithmetic_texts: list[str] = []
        self._pending: list[_HereDoc] = []
        self._depth = 0
        self._in_backticks = False

    # --- small steps

    def starts(self, text: str) -> bool:
        return self.text.startswith(text, self.at) and self.at + len(text) <= self.end

    def value_here(self) -> Span | None:
        return self.spans.get(self.at) if self.at < self.end else None

    def refuse(self, span: Span, message: str, hint: str) -> None:
        self.refusals.append(Refusal(span, message, hint))

    def refuse_within(self, start: int, end: int, message: str, hint: str) -> None:
        for at, span in self.spans.items():
            if start <= at < end:
                self.refuse(span, message, hint)

    def put(self, span: Span, spelling: Spelling, *, dollar: bool = False) -> None:
        if dollar and self._in_backticks:
            self.refuse(
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
        self._read_commands(self, closer)
        self._depth -= 1

    def newline(self) -> None:
        """Take a newline, and the here-documents that begin after it."""
        self.at += 1
        pending, self._pending = self._pending, []
        for each in pending:
            self._body(each)

    def expect_heredoc(self, command: Command) -> None:
        """Read the delimiter after `<<`; the body follows at the end of the line."""
        strip_tabs = self.starts("-")
        self.at += strip_tabs
        while self.starts(" ") or self.starts("\t"):
            self.at += 1
        delimiter, quoted = "", False
        while self.at < self.end and self.text[self.at] not in " \t\n;|&<>()":
            if (span := self.value_here()) is not None:
                self.refuse(
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
            self.refuse_within(start, stop, message, f"write `<<{doc.delimiter}` without quotes")
        else:
            outer, self.end = self.end, stop
            while self.at < self.end:
                span = self.value_here()
                if span is not None:
                    doc.command.inputs.append(span)
                self.double_quoted_part(span)
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
        self.refuse_within(start, stop, message, hint)
        if word is not None:
            text = self.text[start:stop]
            word.text, word.shape = word.text + text, word.shape + QUOTED * len(text)
        self.at = min(stop + 1, self.end)

    def double_quoted(self, word: Word | None) -> None:
        """Take `"..."`."""
        self.at += 1
        while self.at < self.end and self.text[self.at] != '"':
            span = self.value_here()
            start = self.at
            self.double_quoted_part(span)
            if word is not None:
                taken = VALUE if span else self.text[start : self.at].removeprefix("\\")
                word.text, word.shape = word.text + taken, word.shape + QUOTED * len(taken)
                if span:
                    word.values.append(span)
        self.at = min(self.at + 1, self.end)

    def double_quoted_part(self, span: Span | None) -> None:
        """Take one character, value or expansion inside double quotes or a here-document."""
        char = self.text[self.at]
        if span is not None:
            self.put(span, "bare")
        elif char == "\\":
            self.escape()
        elif char == "`":
            self.backticks()
        elif char == "$":
            self.dollar(None, quoted=True)
        else:
            self.at += 1

    def escape(self) -> None:
        """Take a backslash and what follows it."""
        self.at += 1
        if (span := self.value_here()) is not None:
            self.refuse(
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
            self.refuse_within(start, stop, message, "use `$(...)`")
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
            self.put(span, "bare" if quoted else "quoted", dollar=True)
        elif self.starts("$(("):
            self.arithmetic(3, "))")
        elif self.starts("$["):
            self.arithmetic(2, "]")
        elif self.starts("$("):
            self.at += 2
            self.nested_commands()
        elif self.starts("${"):
            parameter(self, quoted=quoted)
        elif self.starts("$'") and not quoted:
            self.single_quoted(word, ansi=True)
        elif self.starts('$"') and not quoted:
            self.at += 1
            self.double_quoted(word)
        else:
            self.at += 2 if self.starts("$$") else 1

    def nested_commands(self) -> None:
        pending, self._pending = self._pending, []
        self.commands_until(")")
        self._pending = pending + self._pending

    def arithmetic(self, skip: int, closer: str) -> None:
        """Take an arithmetic expression, where the shell evaluates whatever a value holds."""
        start = self.at
        self.at += skip
        depth = 0
        while self.at < self.end and not (depth == 0 and self.starts(closer)):
            span = self.value_here()
            if span is not None and is_integer(span):
                self.put(span, "bare")
                continue
            if span is not None:
                self.refuse(span, *_ARITHMETIC)
                self.at = span.end
                continue
            char = self.text[self.at]
            depth += (char == "(") - (char == ")" and depth > 0)
            self.at += 1
        self.arithmetic_texts.append(self.text[start : self.at])
        self.at = min(self.at + len(closer), self.end)

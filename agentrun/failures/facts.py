"""What the rules look at: evidence made uniform, once per failure.

Owns the bounds on the text, exit codes that stand for signals, the names of exceptions wherever
they stand (type, MRO, causes, a traceback's lines) and a status that only the text tells. Refuses
to judge any of it.
"""

import re
import signal as signals
from collections.abc import Iterator, Mapping
from functools import lru_cache

from msgspec import Struct

from agentrun.core.failure import Evidence

HEAD_CHARS = 16 * 1024
TAIL_CHARS = 48 * 1024
"""Of a longer text; a cause stands at its beginning or, more often, at its end."""
MAX_NAMES = 64
"""How many exception names of a text are looked at."""

_TOLD_BY_HEADER = (
    "x-amzn-errortype",
    "x-ms-error-code",
    "grpc-message",
    "grpc-status-details",
    "x-error-code",
    "x-error-message",
)
"""Headers that carry an error's name: read as lines of the text."""

_EXCEPTION_LINE = (
    r"^[ \t]{0,60}(?:(?:E {1,3}|\||\+)[ \t]{0,20})?"
    r"(?:caused by:? |exception in thread \"[^\"\n]{0,80}\" |uncaught |unhandled |error: "
    r"|\S{0,80} - )?"
    r"(?:exception: )?"
    r"((?:[A-Za-z_][\w$]{0,80}[.:]{1,2}){0,10}"
    r"[A-Za-z_]\w{0,80}(?:Error|Exception|Exit|Interrupt|Timeout|Violation|Failure|Refused"
    r"|Iteration|Group|Warning|NotFound|Detected|Available|Canceled|Shutdown|Busy|Denied|Lost"
    r"|Expired|Closed|OutOfMemory|DoesNotExist))"
    r"(?=:|[ \t]{0,20}$|\s\()"
)

_STATUS_IN_TEXT = (
    r"(?:\bhttp(?:/[\d.]{1,3})?[ :]{1,2}"
    r"(?:error:? |status:? |code:? |response code:? |status code:? )?"
    r"|\bhttp[_ ]?(?:status|error|code)(?:[_ ]code)?['\"]?(?: of| was| is)?[ :=('\"]{1,4}"
    r"|\bstatus[_ ]?code['\"]?(?: of| was| is)?[ :=('\"]{1,4}"
    r"|\"?\bstatus\"?: \"?"
    r"|\"(?:code|status|statuscode|status_code)\" ?: ?\"?"
    r"|'(?:code|status|statuscode|status_code)' ?: ?'?"
    r"|\berror code: "
    r"|\b(?:unexpected|last|response|error|bad) status:? "
    r"|\(?\bstatus ?= ?|\b(?:rejected|failed|failure|error|refused|denied|response) \("
    r"|\btoo many (?=\d{3} error responses)"
    r"|\b(?:get|post|put|patch|delete|head) \"?https?://\S{1,300} (?:- |=> |returned |failed:? )?"
    r"|\breturned error:? "
    r"|\bserver (?:returned|responded|replied)(?: with)?(?: an?| the)?(?: error| status| code)*:? "
    r"|\b(?:respond|answer|repli)ed with(?: an?| the)?(?: error| status| code| http)*:? "
    r"|\bresponse code:? |\bapi error:? ?\(?)"
    r"([345]\d\d)\b(?![.:]\d)"
)
_STATUS_WITH_REASON = (
    r"\b(400 bad request|401 unauthorized|402 payment required|403 forbidden|404 not found"
    r"|405 method not allowed|408 request timeout|409 conflict|410 gone|412 precondition failed"
    r"|413 (?:request entity|payload|content) too large|415 unsupported media type"
    r"|422 unprocessable|423 locked|429 too many requests|500 internal server error"
    r"|501 not implemented|502 bad gateway|503 (?:service|server)|504 gateway time)"
)

_STACK_FRAME = (
    r"^[ \t]{1,60}at (?:async |new )?[^\n]{0,400}"
    r"(?::\d+:\d+\)?|\(native method\)|\([\w.$]+:\d+\)|<anonymous>\))[ \t]{0,20}(?:\{)?$"
    r"|^([ \t|+]{0,80})File \"[^\"\n]{0,400}\", line \d+[^\n]{0,200}\n"
    r"(?:\1  [^\n]*\n(?:[ \t|]{0,200}[~^]{1,200}[ \t]{0,20}$)?)?"
    r"|^node:internal/[^\n]{0,200}\n[^\n]{0,200}\n[ \t]{0,200}\^{1,200}[ \t]{0,20}$"
    r"|^\tat [\w.$/<>@]{1,300}\([^\n]{0,200}\)$"
)
"""Lines that say where, not what: full of words such as `timeout.js` and `raise NetworkError`."""

_NOISE = r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)"
"""Colours, cursor movements and window titles."""

_WINDOWS_SIGNALS = {
    0xC000013A: "SIGINT",
    0xC0000005: "SIGSEGV",
    0xC00000FD: "SIGSEGV",
    0xC0000374: "SIGABRT",
    0xC0000409: "SIGABRT",
}


class Facts(Struct, frozen=True):
    """Evidence as the rules ask for it.

    `flat` is the text on one line: programs wrap their sentences at the terminal's width. `lowered`
    is `flat` in lower case.
    """

    evidence: Evidence
    text: str
    flat: str
    lowered: str
    program: str
    exit_code: int | None
    signal: str | None
    status: int | None
    names: tuple[str, ...]
    headers: Mapping[str, str]


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE | re.IGNORECASE)


def facts_of(evidence: Evidence) -> Facts:
    """Gather what the rules ask for; never raises, whatever the evidence holds."""
    headers = {name.lower(): value for name, value in evidence.headers.items()}
    text = _compiled(_NOISE).sub("", _bounded(evidence.text))
    text = _compiled(_STACK_FRAME).sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    told = [f"{name}: {headers[name][:SHORT]}" for name in _TOLD_BY_HEADER if name in headers]
    text = "\n".join([text, *told]) if told else text
    flat = " ".join(text.split())
    lowered = flat.lower()
    if len(lowered) != len(flat):  # a few letters grow in lower case; offsets must agree
        flat = lowered
    return Facts(
        evidence=evidence,
        text=text,
        flat=flat,
        lowered=lowered,
        program=_program(evidence.command),
        exit_code=evidence.exit_code,
        signal=_signal(evidence.signal, evidence.exit_code),
        status=evidence.status or _status_in(text),
        names=tuple(dict.fromkeys(_names(evidence, text))),
        headers=headers,
    )


SHORT = 400


def _bounded(text: str) -> str:
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


_WRAPPERS = frozenset({"sudo", "env", "timeout", "nice", "nohup", "time", "exec", "command", "npx"})


def _program(command: str | None) -> str:
    """Return the program's name: `FOO=1 sudo /usr/bin/git push` is `git`."""
    for word in (command or "")[:SHORT].split():
        name = word.strip("\"'()").rpartition("/")[2].lower()
        is_argument = word.startswith("-") or word[:1].isdigit() or "=" in word
        if not is_argument and name not in _WRAPPERS:
            return name.removesuffix(".exe")
    return ""


def _signal(name: str | None, exit_code: int | None) -> str | None:
    if name:
        upper = name.strip().upper()
        return _signal_name(int(upper)) if upper.isdigit() else f"SIG{upper.removeprefix('SIG')}"
    if exit_code is None:
        return None
    if exit_code % (1 << 32) in _WINDOWS_SIGNALS:
        return _WINDOWS_SIGNALS[exit_code % (1 << 32)]
    if -65 < exit_code < 0:
        return _signal_name(-exit_code)
    return _signal_name(exit_code - 128) if exit_code in _SHELL_SIGNALS else None


_SHELL_SIGNALS = frozenset(128 + n for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 24, 25))
"""128+N that a shell reports for a death by signal N; others are a program's own exit codes."""


def _signal_name(number: int) -> str | None:
    try:
        return signals.Signals(number).name
    except ValueError:
        return None


def _status_in(text: str) -> int | None:
    found = _compiled(_STATUS_IN_TEXT).search(text)
    if found:
        return int(found[1])
    found = _compiled(_STATUS_WITH_REASON).search(text)
    return int(found[1][:3]) if found else None


def _names(evidence: Evidence, text: str) -> Iterator[str]:
    for dotted in _dotted(evidence, text):
        parts = dotted.split(".")
        yield dotted
        yield parts[-1]
        if len(parts) > 1:
            yield f"{parts[0]}.{parts[-1]}"


def _dotted(evidence: Evidence, text: str) -> Iterator[str]:
    if evidence.exception:
        yield evidence.exception.strip()
    yield from evidence.mro
    yield from evidence.causes
    for count, found in enumerate(_compiled(_EXCEPTION_LINE).finditer(text)):
        if count >= MAX_NAMES:
            return
        yield found[1].replace("::", ".")

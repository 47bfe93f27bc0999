"""`agentrun classify`: explain a failure, one from stdin or many as JSON lines.

Owns the command's flags, its streams and exit codes. Reads line by line, so that memory does not
grow with the input.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated, BinaryIO

import typer

from agentrun.cli import options
from agentrun.core.failure import Category, Evidence, Kind, Verdict
from agentrun.errors import UsageError
from agentrun.failures.classify import classify
from agentrun.failures.evidence import from_jsonl
from agentrun.failures.hints import hint_for
from agentrun.report import screen

EXAMPLES = """
make 2>&1 | agentrun classify --exit-code 2
agentrun classify --status 429 --json < body.json
agentrun classify --signal KILL < /dev/null
agentrun classify --jsonl < failures.jsonl > verdicts.jsonl
"""

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line of --jsonl is answered as unreadable instead of being held in memory."""
MAX_TEXT_BYTES = 64 * 1024
"""Of a text on stdin, as much of the head and as much of the tail is kept."""
MAX_REASON_CHARS = 200

UNREADABLE = "input.unreadable"
"""The rule of an answer to a line that could not be read."""


def classify_command(
    exit_code: Annotated[
        int | None, typer.Option("--exit-code", metavar="N", help="The exit code it ended with.")
    ] = None,
    signal: Annotated[
        str | None,
        typer.Option(
            "--signal", metavar="N", help="The signal that ended it: a number, SIGKILL or KILL."
        ),
    ] = None,
    status: Annotated[
        int | None, typer.Option("--status", metavar="N", help="The HTTP status.")
    ] = None,
    exception: Annotated[
        str | None,
        typer.Option("--exception", metavar="TYPE", help="The exception's type."),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel",
            metavar="NAME",
            help="subprocess, python, http or llm; by default inferred from the other options.",
        ),
    ] = None,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help="Read one failure per line, and answer each with one line."),
    ] = False,
    json_: options.JsonFlag = False,
) -> None:
    """Explain a failure: its category, its kind, and the rule and evidence behind them.

    The text is read from stdin.
    """
    if sys.stdin.isatty():
        raise UsageError(
            "the failure's text is read from stdin", "COMMAND 2>&1 | agentrun classify"
        )
    flags: dict[str, object] = {
        "exit_code": exit_code,
        "signal": signal,
        "status": status,
        "exception": exception,
        "channel": channel,
    }
    if not jsonl:
        _answer_one(flags, as_json=json_)
    elif any(value is not None for value in flags.values()):
        raise UsageError("--jsonl carries the signals on each line; leave out the other flags")
    else:
        _answer_lines(sys.stdin.buffer)


def _print(line: str) -> None:
    screen.stdout().line(line)


# One failure


def _answer_one(flags: dict[str, object], *, as_json: bool) -> None:
    try:
        evidence = from_jsonl({**flags, "text": _head_and_tail(sys.stdin.buffer)})
    except ValueError as error:
        raise UsageError(str(error)) from error
    verdict = classify(evidence, now=time.time())
    if as_json:
        answer = {**_as_json(verdict), "hint": hint_for(verdict)}
        _print(json.dumps(answer, ensure_ascii=False))
    else:
        _print(_explained(verdict))


def _head_and_tail(stream: BinaryIO) -> str:
    """Read the beginning and the end of a stream of any length, in bounded memory."""
    head, tail = stream.read(MAX_TEXT_BYTES), b""
    while chunk := stream.read(MAX_TEXT_BYTES):
        tail = (tail + chunk)[-MAX_TEXT_BYTES:]
    return (head + tail).decode("utf-8", "replace")


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "category": verdict.category.value,
        "kind": verdict.kind.value,
        "retry_after_s": verdict.retry_after_s,
        "rule": verdict.rule,
        "evidence": verdict.evidence,
    }


def _explained(verdict: Verdict) -> str:
    lines = [
        f"category  {verdict.category.value}",
        f"kind      {verdict.kind.value}",
        f"rule      {verdict.rule}",
        f"evidence  {verdict.evidence or '-'}",
    ]
    if verdict.retry_after_s is not None:
        lines.append(f"wait      {verdict.retry_after_s:g} s")
    return "\n".join([*lines, f"next      {hint_for(verdict)}"])


# Many failures


def _answer_lines(stream: BinaryIO) -> None:
    """Answer every line, in order: one that cannot be read is answered, too, and warned of."""
    for number, line in enumerate(_lines(stream), start=1):
        if line.strip():
            _print(json.dumps(_answer(number, line), ensure_ascii=False))


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)


def _answer(number: int, line: bytes) -> dict[str, object]:
    entry: object = None
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
        verdict = classify(_evidence(entry), now=time.time())
    except (ValueError, RecursionError) as error:
        reason = f"line {number}: {error}"[:MAX_REASON_CHARS]
        screen.stderr().line(f"agentrun classify: {reason}")
        verdict = Verdict(Category.FATAL, Kind.UNKNOWN, UNREADABLE, reason)
    return {"id": entry.get("id") if isinstance(entry, dict) else None, **_as_json(verdict)}


def _evidence(entry: object) -> Evidence:
    if not isinstance(entry, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one error for all bad lines
    return from_jsonl(entry)

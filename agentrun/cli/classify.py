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

from agentrun.core.failure import Category, Evidence, Kind, Verdict
from agentrun.failures.classify import classify
from agentrun.failures.evidence import from_jsonl
from agentrun.failures.hints import hint_for

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line of --jsonl is answered as unreadable instead of being held in memory."""
MAX_TEXT_BYTES = 64 * 1024
"""Of a text on stdin, as much of the head and as much of the tail is kept."""

UNREADABLE = "input.unreadable"


def classify_command(
    exit_code: Annotated[int | None, typer.Option("--exit-code", metavar="N", help="The exit code it ended with.")] = None,
    signal: Annotated[str | None, typer.Option("--signal", metavar="N", help="The signal that ended it: a number or a name such as SIGKILL.")] = None,
    status: Annotated[int | None, typer.Option("--status", metavar="N", help="The HTTP status.")] = None,
    exception: Annotated[str | None, typer.Option("--exception", metavar="TYPE", help="The exception's type, with or without module.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="NAME", help="subprocess, python, http or llm; told from the other flags by default.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Read one failure a line, answer one line each.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Explain a failure: its category, its kind, and the rule and evidence behind them.

    The text is read from stdin.

    \b
    Examples:
      make 2>&1 | agentrun classify --exit-code 2
      agentrun classify --status 429 --json < body.json
      agentrun classify --signal KILL < /dev/null
      agentrun classify --jsonl < failures.jsonl > verdicts.jsonl
    """
    if sys.stdin.isatty():
        raise _usage("classify reads the failure's text from stdin, and stdin is a terminal; try: COMMAND 2>&1 | agentrun classify")
    if jsonl:
        _refuse_flags(exit_code, signal, status, exception, channel)
        _answer_lines(sys.stdin.buffer)
        return
    flags = {"exit_code": exit_code, "signal": signal, "status": status, "exception": exception, "channel": channel}
    try:
        evidence = from_jsonl({**flags, "text": _head_and_tail(sys.stdin.buffer)})
    except ValueError as error:
        raise _usage(str(error)) from error
    verdict = classify(evidence, now=time.time())
    typer.echo(json.dumps(_as_json(verdict), ensure_ascii=False) if json_ else _explained(verdict))


def _usage(message: str) -> typer.Exit:
    typer.echo(f"agentrun classify: {message}", err=True)
    return typer.Exit(2)


def _refuse_flags(*flags: object) -> None:
    if any(flag is not None for flag in flags):
        raise _usage("--jsonl carries the signals on each line; leave out the other flags")


def _head_and_tail(stream: BinaryIO) -> str:
    """The beginning and the end of a stream of any length, in bounded memory."""
    head, tail = stream.read(MAX_TEXT_BYTES), b""
    while chunk := stream.read(MAX_TEXT_BYTES):
        tail = (tail + chunk)[-MAX_TEXT_BYTES:]
    return (head + tail).decode("utf-8", "replace")


# -- one failure ------------------------------------------------------------------------------


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "category": verdict.category.value,
        "kind": verdict.kind.value,
        "retry_after_s": verdict.retry_after_s,
        "rule": verdict.rule,
        "evidence": verdict.evidence,
        "hint": hint_for(verdict),
    }


def _explained(verdict: Verdict) -> str:
    lines = [
        f"category  {verdict.category.value}",
        f"kind      {verdict.kind.value}",
        f"rule      {verdict.rule}",
        f"evidence  {verdict.evidence}",
    ]
    if verdict.retry_after_s is not None:
        lines.append(f"wait      {verdict.retry_after_s:g} s")
    return "\n".join([*lines, f"next      {hint_for(verdict)}"])


# -- many failures ----------------------------------------------------------------------------


def _answer_lines(stream: BinaryIO) -> None:
    """One answer a line, in order: a line that cannot be read is answered, too, and warned of."""
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        sys.stdout.write(json.dumps(_answer(number, line), ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)


def _answer(number: int, line: bytes) -> dict[str, object]:
    entry: object = None
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
        evidence = _evidence(entry)
    except (ValueError, RecursionError) as error:
        typer.echo(f"agentrun classify: line {number}: {error}", err=True)
        verdict = Verdict(Category.FATAL, Kind.UNKNOWN, UNREADABLE, f"line {number}: {error}"[:200])
    else:
        verdict = classify(evidence, now=time.time())
    answer = _as_json(verdict)
    del answer["hint"]
    return {"id": entry.get("id") if isinstance(entry, dict) else None, **answer}


def _evidence(entry: object) -> Evidence:
    if not isinstance(entry, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of answer for all bad lines
    return from_jsonl(entry)

"""`agentrun stats --patterns`: what the Debugger remembers, and taking it along."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agentrun.cli.settings import Settings
from agentrun.errors import UsageError
from agentrun.recovery.debugger.memory import FixMemory, Pattern
from agentrun.report import screen, words
from agentrun.report.result import write_json
from agentrun.report.screen import Screen
from agentrun.store.manager import CheckpointManager


def run(now: Settings, *, export: str | None, import_: str | None, clear: bool, json: bool) -> int:
    """Export, import, clear or show the memory."""
    memory = FixMemory(CheckpointManager(now.root).shared)
    out, err = screen.stdout(color=now.color), screen.stderr(color=now.color)
    if export is not None:
        return _export(memory, export, out, err)
    if import_ is not None:
        count = _import(memory, import_)
        err.line(f"{words.plural(count, 'new pattern')} taken over")
        return 0
    if clear:
        count = len(memory.patterns(time.time()))
        memory.clear()
        err.line(f"{words.plural(count, 'pattern')} forgotten")
        return 0
    found = memory.patterns(time.time())
    if json:
        write_json(out, {"patterns": msgspec.to_builtins(found)})
    elif found:
        out.lines(_lines(found, out))
    else:
        err.line(f"no failure has come to the Debugger yet in {now.checkpoints}")
    return 0


def _export(memory: FixMemory, file: str, out: Screen, err: Screen) -> int:
    data = memory.export()
    if file == "-":
        write_json(out, data)
        return 0
    text = msgspec.json.format(msgspec.json.encode(data), indent=1)
    try:
        Path(file).write_bytes(text + b"\n")
    except OSError as error:
        raise UsageError(f"--export: can't write {file}: {error.strerror}") from error
    count = words.plural(len(data["patterns"]), "pattern")
    err.line(
        f"{count} written to {file}; failures are told in their own words: look before sharing"
    )
    return 0


def _import(memory: FixMemory, file: str) -> int:
    try:
        return memory.import_(msgspec.json.decode(Path(file).read_bytes()), time.time())
    except OSError as error:
        raise UsageError(f"--import: can't read {file}: {error.strerror}") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise UsageError(f"--import: {file}: {error}") from error


def _lines(found: list[Pattern], out: Screen) -> Iterator[str]:
    for pattern in found:
        seen = words.plural(pattern.seen, "time")
        text = words.one_line(pattern.text, 100)
        yield f"{out.paint('bold', pattern.step or '?')}  {pattern.kind}: {text}  (seen {seen})"
        if not pattern.fixes:
            yield out.paint("dim", "  nothing is known to cure it")
        for known in pattern.fixes:
            params = words.one_line(msgspec.json.encode(known.fix.params).decode(), 80)
            yield f"  {known.fix.type} {params}: {known.record}, chance {known.chance:.0%}"

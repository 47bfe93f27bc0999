"""Who watches a run, and what a run prints when it is over.

Owns the choice of reporters from the options, and the order of the last words: the ending on
stderr, then the result on stdout.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from agentrun.cli.settings import Settings
from agentrun.core.model import Json
from agentrun.errors import AgentrunError, UsageError
from agentrun.report import screen, words
from agentrun.report.ending import LABEL_WIDTH, ending_lines
from agentrun.report.events import EventsReporter
from agentrun.report.plain import PlainReporter
from agentrun.report.quiet import QuietReporter
from agentrun.report.reporter import Reporter
from agentrun.report.result import task_object, write_json, write_result

if TYPE_CHECKING:
    from agentrun.requests import Finished


class Watch:
    """The reporters of one run, and its last words."""

    def __init__(self, settings: Settings, sink: BinaryIO | None, *, events: str | None) -> None:
        self._settings = settings
        self._out = screen.stdout(color=settings.color)
        self._err = screen.stderr(color=settings.color)
        self._events: EventsReporter | None = None
        if events == "-":
            self._events = EventsReporter(self._out.write_bytes, hold_last=True)
        elif sink is not None:
            self._events = EventsReporter(_writer(sink, self._warn))
        self._to_stdout = events == "-"
        self.reporters = [self._progress(), *([self._events] if self._events else [])]

    def _progress(self) -> Reporter:
        settings = self._settings
        if settings.quiet:
            return QuietReporter()
        mixed = self._to_stdout and self._out.terminal
        if self._err.terminal and os.environ.get("TERM") != "dumb" and not mixed:
            from agentrun.report.live import LiveReporter

            return LiveReporter(self._err, verbose=settings.verbose)
        return PlainReporter(self._err, verbose=settings.verbose)

    def _warn(self, message: str) -> None:
        self._err.line(self._err.paint("yellow", f"warning: {words.one_line(message)}"))

    def conclude(self, finished: "Finished") -> int:
        """Print the ending and the result; return the exit code."""
        state, settings = finished.state, self._settings
        if not (settings.quiet and finished.exit_code == 0):
            self._err.lines(ending_lines(state, self._err, time.time(), settings.folder_option()))
        if state.ending is not None and state.ending.reason == "escalation":
            self._report(finished)
        outputs: Json = finished.outputs if state.status == "succeeded" else None
        if self._to_stdout and self._events is not None:
            self._events.finish(state, outputs)
        elif settings.json:
            shown = task_object(
                state,
                outputs,
                exit_code=finished.exit_code,
                workflow=finished.workflow,
                folder_option=settings.folder_option(),
            )
            write_json(self._out, shown)
        elif state.status == "succeeded":
            write_result(self._out, outputs)
        return finished.exit_code

    def _report(self, finished: "Finished") -> None:
        """Put the full report where the person who is asked finds it."""
        from agentrun.cli.escalated import write_reports

        try:
            paths = write_reports(self._settings, finished.state)
        except (AgentrunError, OSError) as error:
            self._warn(f"no report was written: {error}")
            return
        for path in paths:
            self._err.line(f"  {self._err.paint('dim', 'report'.ljust(LABEL_WIDTH))}{path}")


@contextmanager
def watching(settings: Settings, events: str | None) -> Iterator[Watch]:
    """Open what `--events` names and watch with it. Raises UsageError when that can't be."""
    if events == "-" and settings.json:
        raise UsageError(
            "--events - and --json both want stdout", "write the events to a file, or leave one out"
        )
    from agentrun.steps.streams import stdout_for_results

    with _sink(events) as sink, stdout_for_results():
        yield Watch(settings, sink, events=events)


@contextmanager
def _sink(events: str | None) -> Iterator[BinaryIO | None]:
    if events is None or events == "-":
        yield None
        return
    try:
        sink = open(events, "ab", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"--events: can't write {events}: {error.strerror}") from error
    with sink:
        yield sink


def _writer(sink: BinaryIO, warn: Callable[[str], None]) -> Callable[[bytes], None]:
    """Return a write that stops at the first error: the journal is the truth, this a copy."""
    broken = False

    def write(data: bytes) -> None:
        nonlocal broken
        if broken:
            return
        try:
            sink.write(data)
        except OSError as error:
            broken = True
            warn(f"--events: {error.strerror or error}; no more events are written there")

    return write

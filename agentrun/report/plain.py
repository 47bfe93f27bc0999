"""Progress as lines, for pipes, files and CI: one line per thing worth knowing.

    12:31:05 task triage-20261123-123105-k3f9 started: 5 steps
    12:31:05 issues  started
    12:31:08 label[3]  attempt 2 of 5 in 3.2 s: rate_limit (429 Too Many Requests)

Items of a large `for_each` don't get a line each, but one each tenth of the way. Endings are
printed by the command (report/ending.py).
"""

from collections.abc import Sequence

from agentrun.core import address, events as ev
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState
from agentrun.report import words
from agentrun.report.events import ENDINGS
from agentrun.report.screen import Screen
from agentrun.report.sentences import Sentence, sentence
from agentrun.report.step_output import StepOutput
from agentrun.report.tally import Tally

FEW_ITEMS = 20
"""Up to here each item has lines of its own."""

_OF_AN_ITEM = (ev.StepStarted, ev.StepSucceeded, ev.StepSkipped, ev.ScopeOpened, ev.StepBlocked)


class PlainReporter:
    """Writes lines to a screen; with `verbose` also what the steps print."""

    def __init__(self, screen: Screen, *, verbose: bool = False) -> None:
        self._screen = screen
        self._verbose = verbose
        self._tally: Tally | None = None
        self._tenths: dict[str, int] = {}
        self._output = StepOutput(lambda step, line: self._say(None, Sentence(step, f"| {line}")))

    def begin(self, workflow: Workflow, state: TaskState) -> None:  # noqa: ARG002
        """Take over the task so far."""
        self._tally = Tally(state)

    def records(self, records: Sequence[ev.Recorded], state: TaskState) -> None:
        """Print what happened."""
        tally = self._tally = self._tally or Tally(state)
        tally.follow(records, state)
        for recorded in records:
            event = recorded.event
            if isinstance(event, ENDINGS) or self._is_detail(event):
                continue
            if isinstance(event, _OF_AN_ITEM) and self._is_noise(event):
                continue
            said = sentence(recorded, state)
            if said is not None:
                self._say(recorded.time, said)
        self._say_progress(records, tally)

    def _is_detail(self, event: ev.Event) -> bool:
        """Return whether it is told by what follows from it, as a failed attempt is."""
        return isinstance(event, ev.StepFailed | ev.IncidentOpened) and not self._verbose

    def _is_noise(self, event: ev.StepEvent) -> bool:
        """Return whether it is only one of many, or the begin of an item, told by its end."""
        begins = isinstance(event, ev.StepStarted) and event.attempt == 1
        return self._crowded(event.step) or (begins and event.step.endswith("]"))

    def _crowded(self, key: str) -> bool:
        """Return whether the step belongs to an item of a large `for_each`."""
        assert self._tally is not None
        parts = key.split("/")
        for depth in range(len(parts)):
            loop = address.parent_loop("/".join(parts[: depth + 1]))
            if loop in self._tally.loops and self._tally.loops[loop].total > FEW_ITEMS:
                return True
        return False

    def _say_progress(self, records: Sequence[ev.Recorded], tally: Tally) -> None:
        loops = {}
        for recorded in records:
            if isinstance(recorded.event, ev.StepEvent):
                loop = address.parent_loop(recorded.event.step)
                if loop is not None:
                    loops[loop] = recorded.time
        for loop, time in loops.items():
            counts = tally.loops[loop]
            tenth = counts.done * 10 // counts.total if counts.total > FEW_ITEMS else 0
            if self._tenths.get(loop, 0) < tenth < 10:
                self._tenths[loop] = tenth
                text = f"{counts.done:,} of {counts.total:,} items done"
                failed = f", {counts.failed:,} failed" if counts.failed else ""
                self._say(time, Sentence(loop, text + failed))

    def _say(self, time: float | None, said: Sentence) -> None:
        stamp = self._screen.paint("dim", words.clock(time) if time is not None else " " * 8)
        about = self._screen.paint("bold", said.about) + "  " if said.about else ""
        self._screen.line(f"{stamp} {about}{self._screen.paint(said.style, said.text)}")

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Print what an attempt prints, when asked to."""
        if self._verbose:
            self._output.feed(step, attempt, data)

    def warn(self, message: str) -> None:
        """Print a warning."""
        text = f"warning: {words.one_line(message)}"
        self._screen.line(self._screen.paint("yellow", text))

    def end(self, state: TaskState) -> None:  # noqa: ARG002
        """Print what is left of unfinished lines."""
        self._output.flush()

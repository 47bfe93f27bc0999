"""Progress on a terminal: a tree of the steps that draws itself anew. Rich is imported here alone.

Owns the drawing; what is drawn is the board's. The screen is drawn by a thread of Rich a few times
a second, so that times pass and waits count down while nothing happens.
"""

import threading
import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from agentrun.core import events as ev
from agentrun.core.model import Workflow
from agentrun.core.state import TaskState
from agentrun.report import words
from agentrun.report.board import Board, BoardLine, Look
from agentrun.report.screen import Screen
from agentrun.report.sentences import sentence
from agentrun.report.step_output import StepOutput

FRAMES_PER_S = 4
BAR_WIDTH = 24
MAX_NAME = 32
_SPIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS: dict[Look, tuple[str, str]] = {
    "done": ("✓", "green"),
    "working": ("", "cyan"),
    "waiting": ("◷", "yellow"),
    "failed": ("✗", "red"),
    "idle": ("·", "dim"),
}


class LiveReporter:
    """Draws the board of a task on a terminal."""

    def __init__(self, screen: Screen, *, verbose: bool = False) -> None:
        self._console = Console(
            file=screen.stream, force_terminal=True, no_color=not screen.color, highlight=False
        )
        self._verbose = verbose
        self._lock = threading.Lock()
        self._board: Board | None = None
        self._task_id = ""
        self._workflow = ""
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=FRAMES_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._output = StepOutput(self._say_output)

    def begin(self, workflow: Workflow, state: TaskState) -> None:
        """Begin to draw."""
        with self._lock:
            self._board = Board(workflow, state)
            self._task_id, self._workflow = state.task_id, workflow.name
        self._live.start()

    def records(self, records: Sequence[ev.Recorded], state: TaskState) -> None:
        """Take over what happened."""
        with self._lock:
            if self._board is None:
                return
            self._board.follow(records, state)
        for recorded in records:
            if isinstance(recorded.event, ev.Warned | ev.TaskHalted | ev.FixApplied):
                said = sentence(recorded, state)
                if said is not None:
                    about = f"{said.about}  " if said.about else ""
                    self._print(f"{words.clock(recorded.time)} {about}{said.text}", "yellow")

    def output(self, step: str, attempt: int, data: bytes) -> None:
        """Print above the tree what steps print, when asked to."""
        if self._verbose:
            self._output.feed(step, attempt, data)

    def _say_output(self, step: str, line: str) -> None:
        self._print(f"{step} | {line}", "")

    def warn(self, message: str) -> None:
        """Print a warning above the tree."""
        self._print(f"warning: {words.one_line(message)}", "yellow")

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style))

    def end(self, state: TaskState) -> None:
        """Draw a last time and leave the tree where it is."""
        self._output.flush()
        with self._lock:
            if self._board is not None:
                self._board.follow((), state)
        self._live.stop()

    # --- drawing --------------------------------------------------------------------------------

    def _draw(self) -> Group:
        now = time.time()
        with self._lock:
            lines = self._board.lines(now, self._console.height - 2) if self._board else []
        names = [line.depth * 2 + len(line.name) for line in lines]
        width = min(max(names, default=0), MAX_NAME)
        head = Text(f"{self._workflow}  ", style="bold", no_wrap=True, overflow="ellipsis")
        head.append(self._task_id, style="dim")
        spin = _SPIN[int(now * FRAMES_PER_S) % len(_SPIN)]
        bar = min(BAR_WIDTH, max(0, (self._console.width - width - 40) // 2))
        return Group(head, *(_line(line, width, spin, bar) for line in lines))


def _line(line: BoardLine, width: int, spin: str, bar: int) -> Text:
    mark, style = _MARKS[line.look]
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("  " * line.depth + (mark or spin) + " ", style=style)
    room = max(width - line.depth * 2, 1)
    name = line.name if len(line.name) <= room else line.name[: room - 1] + "…"
    text.append(name.ljust(room), style="dim" if line.look == "idle" else "")
    text.append(f"  {line.time:>8}", style="dim")
    if line.share is not None and bar:
        full = int(line.share * bar)
        text.append("  " + "━" * full, style="green")
        text.append("━" * (bar - full), style="dim")
    if line.text:
        text.append("  " + line.text, style=style if line.look in {"failed", "waiting"} else "dim")
    return text

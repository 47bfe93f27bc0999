"""Reads the logs of a task's attempts, once or as they grow."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agentrun.core.address import under
from agentrun.core.state import TaskState
from agentrun.errors import UsageError
from agentrun.report import words
from agentrun.report.moment import near_names
from agentrun.report.screen import Screen
from agentrun.store.view import TaskView

CHUNK_BYTES = 1 << 16
POLL_S = 0.2


class LogReader:
    """Prints the logs of one step (and of its items), or of all. `attempt` None means the last."""

    def __init__(
        self, view: TaskView, screen: Screen, step: str | None, attempt: int | None
    ) -> None:
        self._view, self._screen = view, screen
        self._step, self._attempt = step, attempt
        self._read: dict[Path, int] = {}
        self._shown: str | None = None
        if step is not None and not list(self._attempts(view.state)):
            begun = view.state.step(step).attempts
            if begun and attempt is not None:
                raise UsageError(f"{step} has had no attempt {attempt}: its last is {begun}")
            keys = dict.fromkeys(k for k, s in view.state.steps.items() if s.attempts)
            if step not in view.state.steps:
                raise UsageError(f"nothing has run in a step {step!r}", near_names(keys, step))

    def print_all(self) -> None:
        """Print what is there."""
        for key, number in self._attempts(self._view.state):
            self._print(key, number)

    def follow(self, look_again: Callable[[], TaskView]) -> None:
        """Print what is there and what comes, until no process works on the task any more."""
        view = self._view
        while True:
            live = view.running
            for key, number in self._attempts(view.state):
                self._print(key, number)
            if not live or self._screen.broken:
                return
            time.sleep(POLL_S)
            view = look_again()

    def _attempts(self, state: TaskState) -> Iterator[tuple[str, int]]:
        for key, step in state.steps.items():
            wanted = self._step is None or key == self._step or under(key, self._step)
            if wanted and step.attempts and step.items is None:
                number = self._attempt or step.attempts
                if number <= step.attempts:
                    yield key, number

    def _print(self, key: str, number: int) -> None:
        path = self._view.log_path(key, number)
        try:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                while data := file.read(CHUNK_BYTES):
                    self._head(key, number)
                    self._write(data)
                self._read[path] = file.tell()
        except OSError:
            return

    def _head(self, key: str, number: int) -> None:
        """Say whose log follows, where there may be several."""
        name = f"{key}, attempt {number}"
        if name != self._shown and key != self._step:
            self._screen.line(self._screen.paint("dim", f"==> {name} <=="))
        self._shown = name

    def _write(self, data: bytes) -> None:
        if self._screen.terminal:
            self._screen.write(words.safe(data.decode("utf-8", "replace")))
        else:
            self._screen.write_bytes(data)

"""What the tests of agents stand on: a context without a runner, a log, recorded notes."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentrun.core.failure import CATEGORY_OF, Evidence, Failure, Kind
from agentrun.core.model import OutputSpec
from agentrun.core.outcome import Note, ProcessStarted, SessionKnown, Success, TurnDone
from agentrun.steps.agent import KIND
from agentrun.steps.kind import StepContext
from agentrun.steps.log import FileLog

TEXT = OutputSpec()


class World:
    """Performs attempts of one agent step and keeps what they noted."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.state = folder / "state"
        for each in (self.work, self.state):
            each.mkdir(parents=True, exist_ok=True)
        self.env = dict(os.environ if env is None else env)
        self.noted = asyncio.Event()
        self.notes: list[Note] = []
        self.attempts = 0
        self.log = FileLog(folder / "logs" / "0.log")

    def context(self, spec: Mapping[str, Any], **changes: Any) -> StepContext:
        self.attempts += 1
        self.log = FileLog(self.folder / "logs" / f"{self.attempts}.log")
        known: dict[str, Any] = {
            "task_id": "t", "step": "s", "attempt": self.attempts, "round": 1, "spec": spec,
            "with_": None, "stdin": None, "env": self.env, "own_env": {}, "cwd": self.work,
            "base_dir": self.folder, "state_dir": self.state, "log": self.log, "output": TEXT,
            "note": self.note,
        }  # fmt: skip
        return StepContext(**(known | changes))

    def attempt(self, spec: Mapping[str, Any], **changes: Any) -> Success | Evidence:
        """Perform one attempt to its end."""

        async def perform() -> Success | Evidence:
            return await KIND.execute(self.context(spec, **changes))

        return asyncio.run(perform())

    async def note(self, note: Note) -> None:
        self.notes.append(note)
        if isinstance(note, SessionKnown):
            self.noted.set()

    @property
    def sessions(self) -> list[str]:
        return [note.session for note in self.notes if isinstance(note, SessionKnown)]

    @property
    def turns(self) -> list[TurnDone]:
        return [note for note in self.notes if isinstance(note, TurnDone)]

    @property
    def pids(self) -> list[int]:
        return [note.pid for note in self.notes if isinstance(note, ProcessStarted)]


def failure(kind: Kind, message: str) -> Failure:
    return Failure(CATEGORY_OF[kind], kind, message)

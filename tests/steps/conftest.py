import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.model import OutputSpec
from agentrun.core.outcome import Note
from agentrun.steps.kind import StepContext
from agentrun.steps.log import FileLog


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FileLog]:
    log = FileLog(tmp_path / "logs" / "step" / "1.log")
    yield log
    log.close()


@pytest.fixture
def notes() -> list[Note]:
    return []


MakeContext = Callable[..., StepContext]


@pytest.fixture
def make_ctx(tmp_path: Path, log: FileLog, notes: list[Note]) -> MakeContext:
    async def note(what: Note) -> None:
        notes.append(what)

    marks = {
        "AGENTRUN_TASK_ID": f"task-{tmp_path.name}-{time.time_ns()}",
        "AGENTRUN_STEP": "step",
        "AGENTRUN_ATTEMPT": "1",
    }

    def make(**spec: Any) -> StepContext:
        given = {name: spec.pop(name) for name in list(spec) if name in _CONTEXT}
        values: dict[str, Any] = {
            "task_id": marks["AGENTRUN_TASK_ID"],
            "step": "step",
            "attempt": 1,
            "round": 1,
            "spec": spec,
            "with_": None,
            "stdin": None,
            "env": {**os.environ, **marks},
            "own_env": marks,
            "cwd": tmp_path,
            "base_dir": tmp_path,
            "state_dir": tmp_path,
            "log": log,
            "output": OutputSpec(),
            "note": note,
        }
        return StepContext(**(values | given))

    return make


_CONTEXT = frozenset(
    {"with_", "stdin", "env", "cwd", "base_dir", "note", "isolated", "output", "idempotency_key"}
)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait, with a bound, until something holds."""

    async def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            await asyncio.sleep(0.01)

    return wait

"""Runs small workflows for real: real files, real processes, the real store."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from agentrun.app import resume_task, run_task
from agentrun.core.model import Json
from agentrun.requests import Finished, ResumeRequest, RunRequest


class Desk:
    """A folder to run workflows in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "checkpoints"

    def write(self, name: str, text: str) -> Path:
        """Write a file beside the workflow."""
        path = self.folder / name
        path.write_text(dedent(text))
        return path

    def run(self, text: str, inputs: Mapping[str, Json] | None = None, **more: int) -> Finished:
        """Run a workflow given as text."""
        path = self.write("workflow.yaml", text)
        return run_task(RunRequest(path, self.root, inputs=inputs or {}, **more))  # type: ignore[arg-type]

    def resume(self, finished: Finished, **changes: object) -> Finished:
        """Resume the task."""
        return resume_task(ResumeRequest(finished.task_id, self.root, **changes))  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Desk(tmp_path)


@pytest.fixture
def count(tmp_path: Path) -> Callable[[str], int]:
    """Return how often a step has left its mark with `echo >> NAME`."""
    return lambda name: len((tmp_path / name).read_text().splitlines())

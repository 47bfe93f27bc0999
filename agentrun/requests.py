"""What the commands ask of app.py, and what they get back."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState


class StubRequest(Struct, frozen=True):
    """`--stub` and `--inject`: `source` is a file or the id of a task."""

    source: str | None = None
    inject: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.source is not None or bool(self.inject)


class RunRequest(Struct, frozen=True):
    """`agentrun run`: `texts` are `-i k=v` as typed, `inputs` come from `--input-file`."""

    file: Path
    root: Path
    inputs: Mapping[str, Json] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    task_id: str | None = None
    resume_existing: bool = False
    max_parallel: int | None = None
    stub: StubRequest = StubRequest()


class ResumeRequest(Struct, frozen=True):
    """`agentrun resume`, and `debug --apply`: then `fix` is the step and the fix, as JSON.
    `instead_of` is what `run --resume` asked for, where the task was there already.
    """

    task_id: str
    root: Path
    from_step: str | None = None
    set_inputs: Mapping[str, str] = field(default_factory=dict)
    workflow: Path | None = None
    retry: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    fix: tuple[str, Mapping[str, Json]] | None = None
    max_parallel: int | None = None
    stub: StubRequest = StubRequest()
    instead_of: RunRequest | None = None

    @property
    def changes(self) -> bool:
        """Return whether a person asks for anything but going on."""
        asked = (self.from_step, self.set_inputs, self.workflow, self.retry, self.skip)
        return any(asked) or bool(self.answers) or self.fix is not None


class Finished(Struct, frozen=True):
    """How a run or a resume ended. `outputs` is the result, secrets resolved: for stdout alone."""

    task_id: str
    exit_code: int
    state: TaskState
    workflow: Workflow
    outputs: Json = None

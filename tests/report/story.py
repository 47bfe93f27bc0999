"""Handmade records of one task, at times that read well: event n happens n seconds after 12:00:00."""

import io
from typing import Any

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import TaskState, apply
from agentrun.core.value import Blob, Inline, Items, Value
from agentrun.report.screen import Screen

START = 1795521600.0  # 2026-11-24 12:00:00 UTC
TASK = "triage-20261124-120000-k3f9"
HOLDER = ev.Holder(1, 4711, 99, "box", "b00t")

RATE_LIMIT = Failure(
    Category.TRANSIENT,
    Kind.RATE_LIMIT,
    "429 Too Many Requests",
    rule="http.429",
    evidence="429",
    hint="wait, or lower max_parallel",
    status=429,
    tail="asking\n\x1b[31mtoo many\x1b[0m\n",
)
LOGIC = Failure(Category.RECOVERABLE, Kind.LOGIC, "2 tests failed", rule="check", exit_code=1)


def workflow(*ids: str) -> Workflow:
    """A workflow of shell steps, each after the one before."""
    steps = [
        Step(name, "run", {"command": f"echo {name}"}, needs=tuple(ids[:i][-1:]))
        for i, name in enumerate(ids)
    ]
    return Workflow("triage", tuple(steps), sha256="ab" * 32)


class Story:
    """Tells a task event by event."""

    def __init__(self, *ids: str, task_id: str = TASK, inputs: Json = None) -> None:
        self.workflow = workflow(*ids)
        self.state = TaskState(task_id)
        self.records: list[ev.Recorded] = []
        self.time = START
        self.add(
            ev.TaskStarted(
                workflow="triage",
                workflow_sha256="ab" * 32,
                workflow_path="/work/triage.yaml",
                cwd="/work",
                inputs=Inline(inputs or {}),
                holder=HOLDER,
                max_parallel=8,
                version="0.1.0",
                steps_total=len(ids),
            )
        )

    def add(self, *events: ev.Event) -> list[ev.Recorded]:
        """Let events happen, one a second."""
        added = []
        for event in events:
            recorded = ev.Recorded(len(self.records) + 1, self.time, event)
            apply(self.state, recorded)
            self.records.append(recorded)
            added.append(recorded)
            self.time += 1.0
        return added

    def done(self, key: str, output: Json = "ok", attempt: int = 1, **more: Any) -> None:
        """Let a step run and succeed."""
        self.add(
            ev.StepStarted(key, attempt),
            ev.StepSucceeded(key, attempt, Inline(output), 1.0, exit_code=0, **more),
        )

    def failed(self, key: str, failure: Failure = RATE_LIMIT, attempt: int = 1) -> None:
        """Let an attempt fail; what follows is told apart."""
        self.add(ev.StepStarted(key, attempt), ev.StepFailed(key, attempt, failure, 1.0))

    def expand(self, key: str, items: list[Json]) -> None:
        """Resolve a `for_each`."""
        self.add(ev.StepExpanded(key, Inline(items), len(items)))


def failed_story() -> Story:
    """Two steps done, one failed after three attempts, one blocked."""
    story = Story("issues", "label", "report", inputs={"limit": 3})
    story.done("issues", [1, 2])
    for attempt in (1, 2):
        story.failed("label", attempt=attempt)
        story.add(
            ev.RetryScheduled("label", attempt + 1, 3, story.time + 3.2, 3.2, "rate_limit"),
        )
    story.failed("label", attempt=3)
    story.add(ev.StepGaveUp("label", reason="3 attempts"), ev.StepBlocked("report", "label"))
    story.add(ev.TaskFailed(RATE_LIMIT, "label"))
    return story


def looped_story(count: int, done: int = 0, failed: int = 0) -> Story:
    """A `for_each` in progress."""
    story = Story("list", "each", "sum")
    story.done("list")
    story.expand("each", list(range(count)))
    for index in range(done):
        story.done(f"each[{index}]")
    for index in range(done, done + failed):
        story.failed(f"each[{index}]", LOGIC)
        story.add(ev.StepGaveUp(f"each[{index}]", reason="logic"))
    return story


def read(value: Value | None) -> Json:
    """Read a handmade value."""
    assert not isinstance(value, Blob | Items)
    return None if value is None else value.value


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def plain_screen() -> tuple[Screen, io.StringIO]:
    """A screen on a pipe, and what was written to it."""
    stream = io.StringIO()
    return Screen(stream), stream

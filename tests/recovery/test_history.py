"""What the run history counts as a run of a step, and how it ended."""

from agentrun.core import events as ev
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import Step, Workflow
from agentrun.recovery import history
from tests.report.story import Story

STEP = Step("a", "run", {}, content_hash="a" * 64)
TIMED_OUT = Failure(CATEGORY_OF[Kind.TIMEOUT], Kind.TIMEOUT, "timed out")


class Shared:
    """A shared file in memory."""

    def __init__(self) -> None:
        self.data: dict[str, object] = {}

    def read(self, _name: str) -> dict[str, object]:
        return self.data

    def update(self, _name: str) -> "Shared":
        return self

    def __enter__(self) -> dict[str, object]:
        return self.data

    def __exit__(self, *_error: object) -> None:
        pass


def remembered(story: Story, shared: Shared, since: float = 0.0) -> history.StepHistory:
    history.remember(shared, Workflow("w", (STEP,)), story.state, since)
    (found,) = history.read(shared).values()
    return found


def test_a_run_that_had_to_be_parked_has_failed_and_what_follows_is_a_run_of_its_own() -> None:
    story, shared = Story("a"), Shared()
    story.failed("a", TIMED_OUT)
    story.add(ev.StepParked("a", "timeout", None))
    found = remembered(story, shared)
    assert (found.ok, found.failed, found.kinds) == (0, 1, {"timeout": 1})
    parked_at = story.state.updated_at
    story.add(ev.AttemptsGranted(("a",)))
    story.done("a", attempt=2)
    found = remembered(story, shared, since=parked_at)
    assert (found.ok, found.failed, found.kinds) == (1, 1, {"timeout": 1})


def test_a_step_that_waits_for_its_component_has_not_run() -> None:
    story, shared = Story("a"), Shared()
    story.add(ev.StepParked("a", "api: breaker open", 9e9))
    history.remember(shared, Workflow("w", (STEP,)), story.state, 0.0)
    assert not shared.data

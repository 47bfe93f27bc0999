from hypothesis import HealthCheck, given, settings, strategies as st

from agentrun.core import events as ev
from agentrun.report.tally import Tally, count_all
from tests.report.story import LOGIC, looped_story


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["start", "done", "fail", "reset"]))))
def test_counting_along_equals_counting_at_the_end(moves: list[tuple[int, str]]) -> None:
    story = looped_story(6)
    tally = Tally(story.state)
    for index, move in moves:
        key = f"each[{index}]"
        status = story.state.step(key).status
        match move:
            case "start" if status in {"pending", "failed"}:
                added = story.add(ev.StepStarted(key, 1))
            case "done" if status == "running":
                added = story.add(ev.StepSucceeded(key, 1))
            case "fail" if status == "running":
                added = story.add(ev.StepFailed(key, 1, LOGIC), ev.StepGaveUp(key))
            case "reset":
                added = story.add(ev.StepsReset((key,), "again"))
            case _:
                continue
        tally.follow(added, story.state)
        assert tally.loops == count_all(story.state)
        counts = tally.loops["each"]
        assert counts.done + counts.failed + counts.running + counts.pending == 6

import pytest
from hypothesis import given, settings, strategies as st

from agentrun.core import events as ev
from agentrun.core.state import replay
from agentrun.tui import tape as tapes
from agentrun.tui.tape import Tape, attempt_of
from tests.report.story import LOGIC, TASK, Story, failed_story, looped_story


def tape_of(story: Story) -> Tape:
    return Tape(TASK, story.records)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 260), min_size=1, max_size=8))
def test_any_moment_is_what_a_replay_says_in_whatever_order_it_is_asked_for(
    order: list[int],
) -> None:
    story = looped_story(100, done=90, failed=10)
    tape = tape_of(story)
    tape._apart = 40
    for seq in (min(each, len(story.records)) for each in order):
        assert tape.state_at(seq) == replay(TASK, story.records[:seq])


def test_few_states_are_kept_of_a_very_long_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapes, "MIN_EVENTS_APART", 10)
    story = looped_story(200, done=200)
    tape = tape_of(story)
    tape.state_at(len(story.records))
    assert len(tape._kept) <= tapes.MAX_KEPT + 1


def test_it_opens_at_the_last_failure_of_the_step_that_the_ending_is_about() -> None:
    story = failed_story()
    opened = story.records[tape_of(story).opening(story.state) - 1].event
    assert opened == ev.StepFailed("label", 3, opened.failure, 1.0)  # type: ignore[union-attr]


def test_it_opens_at_the_end_of_a_task_without_a_failure() -> None:
    story = Story("a")
    story.done("a")
    assert tape_of(story).opening(story.state) == len(story.records)


def test_a_filter_looks_at_steps_and_at_words_whatever_their_case() -> None:
    tape = tape_of(failed_story())
    assert {row.said.about for row in tape.matching("ISSUES")} == {"issues"}
    assert [row.said.text for row in tape.matching("needs Label")] == ["blocked: needs label"]
    assert tape.matching("nobody") == []
    assert tape.matching(" ") == tape.rows


def test_what_follows_from_an_attempt_belongs_to_it() -> None:
    story = Story("a")
    story.failed("a", LOGIC)
    story.add(ev.StepGaveUp("a"), ev.TaskFailed(LOGIC, "a"))
    assert [attempt_of(record.event, story.state) for record in story.records] == [0, 1, 1, 1, 1]

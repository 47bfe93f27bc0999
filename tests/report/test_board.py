import time

import pytest

from agentrun.core import events as ev
from agentrun.core.value import Inline
from agentrun.report.board import Board
from tests.report.story import LOGIC, RATE_LIMIT, START, Story, failed_story, looped_story


def drawn(story: Story, height: int = 30, now: float = START + 60) -> list[str]:
    board = Board(story.workflow, story.state)
    return shown(board, height, now)


def shown(board: Board, height: int = 30, now: float = START + 60) -> list[str]:
    return [
        f"{line.look:7} {'  ' * line.depth}{line.name} {line.time} {line.text}".rstrip()
        for line in board.lines(now, height)
    ]


def test_the_board_of_a_failure() -> None:
    assert drawn(failed_story()) == [
        "done    issues 1.0 s",
        "failed  label 3.0 s rate_limit (429 Too Many Requests)",
        "failed  report  blocked",
    ]


def test_times_pass_and_waits_count_down() -> None:
    story = Story("a", "b", "c")
    story.add(ev.StepStarted("a", 1), ev.WaitStarted("b", START + 100))
    board = Board(story.workflow, story.state)
    assert shown(board, now=START + 11)[:2] == [
        "working a 10 s",
        "waiting b  until 12:01:40 (in 1m 29s)",
    ]
    story.state.steps["a"].status = "succeeded"  # not told: the board keeps its own facts
    assert shown(board, now=START + 12)[0] == "working a 11 s"


def test_a_retry_is_counted_down() -> None:
    story = Story("a")
    story.failed("a", RATE_LIMIT)
    board = Board(story.workflow, story.state)
    added = story.add(ev.RetryScheduled("a", 2, 5, START + 70, 3.0, ""))
    board.follow(added, story.state)
    assert shown(board) == [
        "waiting a 1.0 s attempt 2 of 5 in 10 s: rate_limit (429 Too Many Requests)"
    ]
    board.follow(story.add(ev.StepStarted("a", 2)), story.state)
    assert shown(board, now=START + 10)[0].endswith("attempt 2 of 5")


def test_items_at_work_have_lines_and_a_bar_has_a_share() -> None:
    story = looped_story(10_000, done=3, failed=1)
    board = Board(story.workflow, story.state)
    for index in range(10, 20):
        board.follow(story.add(ev.StepStarted(f"each[{index}]", 1)), story.state)
    lines = board.lines(START + 60, 30)
    assert [line.name for line in lines] == [
        "list", "each", "each[3]", "each[10]", "each[11]", "each[12]", "sum",
    ]  # fmt: skip
    assert lines[1].text == "3 of 10,000 items, 1 failed, 10 running"
    assert lines[1].share == pytest.approx(4 / 10_000)


def test_steps_of_a_sub_workflow_have_lines_while_they_work() -> None:
    story = Story("sub")
    story.add(ev.ScopeOpened("sub", "sub.yaml", Inline({})), ev.StepStarted("sub/one", 1))
    board = Board(story.workflow, story.state)
    assert [line.name for line in board.lines(START, 30)] == ["sub", "one"]
    board.follow(story.add(ev.StepSucceeded("sub/one", 1)), story.state)
    assert [line.name for line in board.lines(START, 30)] == ["sub"]


@pytest.mark.parametrize("height", [4, 5, 10, 24, 200])
@pytest.mark.parametrize("done", [0, 50, 100])
def test_it_always_fits(height: int, done: int) -> None:
    ids = [f"s{index}" for index in range(100)]
    story = Story(*ids)
    for name in ids[:done]:
        story.done(name)
    if done < 100:
        story.add(ev.StepStarted(ids[done], 1))
    lines = drawn(story, height)
    assert len(lines) <= height
    if 0 < done < 100:
        assert any(line.startswith("working") for line in lines)


def test_what_is_done_and_what_is_to_come_give_way() -> None:
    ids = [f"s{index}" for index in range(100)]
    story = Story(*ids)
    for name in ids[:50]:
        story.done(name)
    story.add(ev.StepStarted("s50", 1))
    lines = drawn(story, 6)
    assert lines[0] == "done    50 steps done"
    assert lines[1].startswith("working s50")
    assert lines[-1] == "idle    46 steps to come"


def test_a_reset_starts_over() -> None:
    story = looped_story(3, done=3)
    board = Board(story.workflow, story.state)
    board.follow(story.add(ev.StepsReset(("list", "each"), "--from list")), story.state)
    assert shown(board)[0] == "idle    list"


def test_following_costs_the_same_however_many_items_there_are() -> None:
    def cost(items: int) -> float:
        story = looped_story(items)
        board = Board(story.workflow, story.state)
        began = time.process_time()
        for index in range(200):
            board.follow(story.add(ev.StepStarted(f"each[{index}]", 1)), story.state)
            board.follow(story.add(ev.StepSucceeded(f"each[{index}]", 1)), story.state)
        board.lines(START, 30)
        return time.process_time() - began

    assert cost(20_000) < 10 * cost(200) + 0.05


def test_a_failed_loop_shows_the_failed_items_alone() -> None:
    story = looped_story(4, done=1, failed=1)
    story.add(ev.StepFailed("each", 0, LOGIC), ev.StepGaveUp("each"))
    assert [line.split()[1] for line in drawn(story)] == ["list", "each", "each[1]", "sum"]

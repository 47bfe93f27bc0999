"""The view as somebody uses it: keys in, what is on the screen and how it ends out."""

import pytest
from textual.strip import Strip
from textual.widgets import Input

from agentrun.core import events as ev
from agentrun.core.failure import Category, Failure, Kind
from agentrun.errors import Damaged
from agentrun.tui.dialogs import Confirm
from agentrun.tui.event_list import EventList
from agentrun.tui.pages import CaseFile
from tests.report.story import Story, failed_story, looped_story
from tests.tui.casework import Screen, a_case, case_file, use

HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]text[/red] [@click=app.quit]\x9b31m" + "x" * 100_000


def test_it_opens_at_the_failure_and_says_why() -> None:
    async def play(screen: Screen) -> None:
        assert screen.seq == 11
        assert "attempt 3 failed after 1.0 s: rate_limit" in screen.page
        assert "transient, rate_limit: rule http.429 on '429'" in screen.page
        assert "event 11 of 14" in screen.all_text

    use(case_file(), play)


def test_keys_move_through_the_events_and_from_failure_to_failure() -> None:
    async def play(screen: Screen) -> None:
        seen = []
        for keys in (["k", "up"], ["p"], ["p", "p"], ["n"], ["g", "down"], ["G", "n"]):
            await screen.press(*keys)
            seen.append(screen.seq)
        assert seen == [9, 8, 5, 8, 2, 14]
        assert screen.told == "no failure after this event"

    use(case_file(), play)


def test_every_page_is_about_the_event_that_the_cursor_is_on() -> None:
    async def play(screen: Screen) -> None:
        await screen.press("2")
        assert "1 of 3 steps done after event 11" in screen.page
        assert "issues  [1, 2]" in screen.page
        await screen.press("right")
        assert "status: running → failed" in screen.page
        await screen.press("right")
        assert screen.page.splitlines()[0] == "label, attempt 3"
        assert screen.page.splitlines()[-1] == "too many"
        await screen.press("g", "4")
        assert "an event of the whole task" in screen.page

    use(case_file(logs={("label", 3): "asking\ntoo many\n"}), play)


def test_the_diff_of_a_retry_shows_what_it_changed_about_the_step() -> None:
    story = Story("a")
    story.failed("a")
    changes = {"timeout_s": 120, "env": {"LC_ALL": "C.UTF-8"}}
    change = ev.Adjustment("timeout", changes, "timeout doubled")
    story.add(ev.RetryScheduled("a", 2, 3, story.time, 0.0, "", (change,)))

    async def play(screen: Screen) -> None:
        await screen.press("G", "3")
        assert screen.page.splitlines()[-4:] == [
            "changed for the next attempt",
            "  timeout doubled",
            "  + timeout_s: 120",
            "  + env.LC_ALL: C.UTF-8",
        ]

    use(case_file(story), play)


def test_a_filter_leaves_only_what_matches_until_it_is_taken_back() -> None:
    async def play(screen: Screen) -> None:
        await screen.press("slash", "s", "u")
        assert "with 'su'" in screen.all_text
        assert screen.seq == 3
        await screen.press("enter", "k")
        assert screen.seq == 2
        await screen.press("escape")
        assert screen.app.query_one(Input).value == ""
        await screen.press("slash", "q", "0", "enter")
        assert screen.page == "no event matches the filter\n"
        await screen.press("n", "down", "3", "a", "escape", "G")
        assert screen.seq == 14

    use(case_file(), play)


def test_a_fix_is_applied_after_a_question_that_shows_its_diff() -> None:
    async def play(screen: Screen) -> None:
        await screen.press("a")
        assert screen.page.startswith("label: what the Debugger says\n  REGION is not set")
        assert "on REGION: unbound" in screen.page
        assert "worked 2 of 2 times" in screen.all_text
        await screen.press("down", "up", "enter")
        assert isinstance(screen.app.screen, Confirm)
        assert "+ env.REGION: eu" in screen.all_text
        await screen.resize(90, 24)
        await screen.press("y")

    app = use(case_file(cases=[a_case()]), play)
    assert (app.return_value, app.return_code) == (1, 0)


def test_keys_that_come_faster_than_the_screen_choose_the_same_fix() -> None:
    async def play(screen: Screen) -> None:
        await screen.type_ahead("a", "enter")
        assert isinstance(screen.app.screen, Confirm)
        await screen.press("y")

    assert use(case_file(cases=[a_case()]), play).return_value == 1


def test_a_page_that_is_still_to_be_written_takes_no_fix_away() -> None:
    async def play(screen: Screen) -> None:
        screen.app.on_resize()
        screen.app.action_apply()
        await screen.press()
        await screen.press("enter")
        assert isinstance(screen.app.screen, Confirm)
        await screen.press("y")

    assert use(case_file(cases=[a_case()]), play).return_value == 1


def test_a_fix_that_is_not_wanted_after_all_is_not_applied() -> None:
    async def play(screen: Screen) -> None:
        for answer in ("n", "enter"):
            await screen.press("a", "a", answer)
            assert not isinstance(screen.app.screen, Confirm)
        await screen.press("q")

    assert use(case_file(cases=[a_case()]), play).return_value is None


def test_while_a_process_works_on_the_task_nothing_is_applied() -> None:
    async def play(screen: Screen) -> None:
        await screen.press("a", "enter")
        assert not isinstance(screen.app.screen, Confirm)
        assert screen.told == "Task t is held by process [1]."
        await screen.press("q")

    app = use(case_file(cases=[a_case()], held="Task t is held by process [1]."), play)
    assert app.return_value is None


def test_a_definition_that_is_gone_leaves_the_rest_to_be_looked_at() -> None:
    def gone() -> list[object]:
        raise Damaged("workflow.yaml: is [red]gone")

    async def play(screen: Screen) -> None:
        await screen.press("5")
        assert screen.page.startswith("no diagnosis: workflow.yaml: is [red]gone")
        assert "what happened" in screen.page

    file = case_file()
    use(CaseFile(file.state, file.sources, gone, file.held), play)  # type: ignore[arg-type]


def test_what_a_step_printed_or_returned_reaches_the_terminal_as_text_alone() -> None:
    failure = Failure(Category.FATAL, Kind.UNKNOWN, HOSTILE, evidence=HOSTILE, tail=HOSTILE)
    story = Story("a", "b", inputs={"x": HOSTILE})
    story.done("a", HOSTILE)
    story.failed("b", failure)
    story.add(ev.StepGaveUp("b"), ev.TaskFailed(failure, "b"))

    async def play(screen: Screen) -> None:
        for page in "12345":
            await screen.press(page)
            text = screen.all_text.replace("\n", "")
            assert not {char for char in text if ord(char) < 32 or 127 <= ord(char) < 160}
            assert "[red]text[/red] [@click=app.quit]" in screen.page
        assert screen.app.is_running

    use(case_file(story, logs={("b", 1): HOSTILE}), play)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("ctrl+c", 130)])
def test_leaving_ends_as_the_printed_page_does(key: str, code: int) -> None:
    async def play(screen: Screen) -> None:
        await screen.press("a")
        assert screen.told == "there is no fix to apply"
        await screen.press(key)

    app = use(case_file(), play)
    assert (app.return_value, app.return_code) == (None, code)


def test_it_opens_where_at_says_fits_a_small_terminal_and_lists_its_keys() -> None:
    async def play(screen: Screen) -> None:
        assert screen.seq == 8
        assert "attempt 2 failed after 1.0 s: rate_limit (429 Too Many Req" in screen.all_text
        await screen.press("question_mark")
        assert "failure before, failure after" in screen.all_text
        await screen.press("q")
        assert "failure before, failure after" not in screen.all_text

    use(case_file(), play, size=(80, 24), at=8)


def test_of_many_steps_those_around_the_event_and_those_that_stand_out_are_shown() -> None:
    ids = [f"s{n}" for n in range(1000)]
    story = Story(*ids)
    story.failed("s0")
    story.add(ev.StepGaveUp("s0", continued=True))
    for name in ids[1:800]:
        story.done(name)

    async def play(screen: Screen) -> None:
        await screen.press("G", "2")
        rows = [line.split()[0] for line in screen.page.splitlines() if line.startswith("  s")]
        assert {"s0", "s799", "s810"} <= set(rows)
        assert "s500" not in rows
        assert "more steps" in screen.page
        assert screen.page.startswith("799 of 1,000 steps done")

    use(case_file(story), play)


def test_only_the_lines_on_the_screen_are_made() -> None:
    made: list[int] = []

    async def play(screen: Screen) -> None:
        events = screen.app.query_one(EventList)
        whole = events.render_line

        def counted(y: int) -> Strip:
            made.append(y)
            return whole(y)

        events.render_line = counted  # type: ignore[method-assign]
        await screen.press("g", "G", "pageup")
        assert 0 < len(made) < 10 * 20

    use(case_file(looped_story(500, done=500)), play)


def test_a_task_that_is_not_over_is_looked_at_like_any_other() -> None:
    story = failed_story()
    story.add(ev.TaskResumed(ev.Holder(1, 2, 3, "box", "b00t"), 1))

    async def play(screen: Screen) -> None:
        assert "running" in screen.all_text

    use(case_file(story, held="Task t is held by process 2."), play)

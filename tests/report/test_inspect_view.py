from agentrun.core import events as ev
from agentrun.core.outcome import Usage
from agentrun.core.value import Inline
from agentrun.report.diff_view import Side, diff_lines, diff_object
from agentrun.report.inspect_view import Page, inspect_lines
from agentrun.report.step_view import StepPage, step_lines, step_object
from tests.report.story import (
    LOGIC,
    START,
    Story,
    failed_story,
    looped_story,
    plain_screen,
    read,
)


def page(story: Story, *, live: bool = False, past: bool = False) -> str:
    screen, _ = plain_screen()
    shown = Page(
        story.state,
        story.workflow,
        read(story.state.inputs),
        live=live,
        past=past,
        now=START + 60,
    )
    return "\n".join(inspect_lines(shown, screen))


def test_a_failed_task() -> None:
    assert page(failed_story()).split("\n\n")[:2] == [
        (
            "triage-20261124-120000-k3f9  failed  1 of 3 steps done\n"
            "  workflow triage (/work/triage.yaml)\n"
            "  started  2026-11-24 12:00, 13 s of work, 2 retries\n"
            '  inputs   {"limit": 3}'
        ),
        (
            "  step    status     attempts  time   what\n"
            "  issues  succeeded            1.0 s\n"
            "  label   failed     3         3.0 s  rate_limit (429 Too Many Requests)\n"
            "  report  blocked"
        ),
    ]


def test_a_running_task_counts_on_and_names_its_process() -> None:
    story = Story("a")
    story.add(ev.StepStarted("a", 1))
    text = page(story, live=True)
    assert "  process  4711 on box" in text
    assert "  a     running  59 s" in text


def test_a_task_whose_process_is_gone_is_interrupted() -> None:
    story = Story("a")
    story.add(ev.StepStarted("a", 1))
    text = page(story)
    assert text.startswith("triage-20261124-120000-k3f9  interrupted  ")
    assert "go on with: agentrun resume triage-20261124-120000-k3f9" in text


def test_a_past_moment_is_shown_as_it_was() -> None:
    story = Story("a")
    story.add(ev.StepStarted("a", 1))
    text = page(story, past=True)
    assert "after event 2" in text
    assert "running" in text
    assert "next" not in text


def test_of_many_items_only_those_not_done_are_rows() -> None:
    lines = page(looped_story(1000, done=900, failed=30)).splitlines()
    rows = [line for line in lines if "each" in line]
    assert "900 of 1,000 items, 30 failed" in rows[0]
    assert len(rows) == 11
    assert any(line.endswith("… 20 more items are not done") for line in lines)


def test_cost_is_told_of_each_step_and_item_and_an_unknown_price_as_unknown() -> None:
    story = Story("each", "own")
    story.add(
        ev.StepExpanded("each", Inline([1, 2]), 2),
        ev.StepStarted("each[0]", 1),
        ev.StepSucceeded("each[0]", 1, usage=Usage(1000, 5, 1, 0.5, cached_tokens=800)),
        ev.StepStarted("each[1]", 1),
        ev.StepSucceeded("each[1]", 1, usage=Usage(1, 1, 1)),
        ev.StepStarted("own", 1),
        ev.StepSucceeded("own", 1, usage=Usage(20, 10, 1)),
    )
    shown = page(story)
    assert "used     1.0k tokens, at least $0.50" in shown
    assert "2 of 2 items, 1.0k tokens, at least $0.50" in shown
    assert "30 tokens, price unknown" in shown
    step = "\n".join(step_lines(step_page(story, "each"), plain_screen()[0]))
    assert "used 1,001 tokens in (800 of them cached), 6 out, 2 calls, at least $0.50" in step
    assert "1.0k tokens, $0.50" in step
    assert "2 tokens, price unknown" in step


def test_waits_and_questions() -> None:
    story = Story("a", "b", "c")
    story.add(
        ev.ApprovalAsked("a", "Publish?", ("yes", "no"), "d"),
        ev.WaitStarted("b", START + 120),
        ev.StepParked("c", "breaker open", START + 120),
    )
    text = page(story)
    assert "a     waiting  Publish? [yes/no]" in text
    assert "b     waiting  until 12:02:00 (in 1m 00s)" in text
    assert "c     waiting  until 12:02:00 (in 1m 00s): breaker open" in text


def step_page(story: Story, key: str) -> StepPage:
    return StepPage(
        key, story.state, story.records, read(story.state.step(key).output), ["/l/1"], START + 60
    )


def test_one_step() -> None:
    story = Story("a")
    story.add(ev.StepStarted("a", 1))
    story.add(ev.StepSucceeded("a", 1, Inline("line \x1b[31mone\ntwo"), 1.5))
    screen, _ = plain_screen()
    assert "\n".join(step_lines(step_page(story, "a"), screen)) == (
        "a  succeeded\n"
        "  1 attempt, 1.5 s\n"
        "\n"
        "     2  12:00:01  started\n"
        "     3  12:00:02  done in 1.5 s\n"
        "\n"
        "output\n"
        "  line one\n"
        "  two\n"
        "\n"
        "logs\n"
        "  /l/1"
    )


def test_a_long_output_is_cut() -> None:
    story = Story("a")
    story.done("a", "x\n" * 1000)
    screen, _ = plain_screen()
    lines = list(step_lines(step_page(story, "a"), screen))
    assert len(lines) < 60
    assert "  … 2,000 characters in all" in lines


def test_a_loop_as_a_step_shows_its_items() -> None:
    story = looped_story(60, done=1, failed=1)
    screen, _ = plain_screen()
    text = "\n".join(step_lines(step_page(story, "each"), screen))
    assert "1 of 60 items, 1 failed" in text
    assert "[1]   failed     1" in text
    assert "… 10 more; one of them: --step each[50]" in text


def test_a_step_as_json() -> None:
    story = looped_story(3, done=1)
    found = step_object(step_page(story, "each[0]"))
    assert found["status"] == "succeeded"
    assert found["output"] == "ok"
    assert found["attempts"] == 1


def side(story: Story, name: str) -> Side:
    return Side(
        name,
        story.state,
        read(story.state.inputs),
        lambda key: read(story.state.step(key).output),
    )


def test_what_differs() -> None:
    a, b = Story("x", "y", inputs={"n": 1}), Story("x", "y", inputs={"n": 2})
    a.done("x", "old")
    b.done("x", "new")
    a.failed("y", LOGIC)
    b.done("y")
    screen, _ = plain_screen()
    assert "\n".join(diff_lines(side(a, "A"), side(b, "B"), screen)) == (
        "- A\n"
        "+ B\n"
        "task\n"
        "  input n: 1 → 2\n"
        "x\n"
        "  output: old → new\n"
        "y\n"
        "  status: failed → succeeded\n"
        "  exit code: 1 → 0\n"
        "  failure: logic: 2 tests failed → none\n"
        "  output: none → ok"
    )
    assert diff_object(side(a, "A"), side(b, "B"))["changes"][0] == {
        "step": None,
        "what": "input n",
        "old": 1,
        "new": 2,
    }


def test_nothing_differs() -> None:
    screen, _ = plain_screen()
    one, two = failed_story(), failed_story()
    assert list(diff_lines(side(one, "A"), side(two, "B"), screen))[-1] == "no difference"

import re

import pytest
from rich.console import Console

from agentrun.core import events as ev
from agentrun.report.live import LiveReporter
from agentrun.report.screen import Screen
from tests.report.story import FakeTerminal, Story, failed_story, looped_story

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def live(story: Story, width: int = 80, height: int = 24, **more: bool) -> str:
    """Return everything a live view of the whole story has drawn."""
    stream = FakeTerminal()
    reporter = LiveReporter(Screen(stream, color=False), **more)
    reporter._console.size = (width, height)
    again = Story(*[step.id for step in story.workflow.steps])
    reporter.records(again.records, again.state)
    reporter.begin(again.workflow, again.state)
    for recorded in story.records[1:]:
        again.time = recorded.time
        reporter.records(again.add(recorded.event), again.state)
        reporter.output("x", 1, b"said \x1b[2Jso\n")
    reporter.end(again.state)
    return stream.getvalue()


def last_frame(text: str) -> list[str]:
    frame = _CONTROL.sub("", text.rpartition("triage  ")[2])
    return [line.rstrip() for line in frame.replace("\r", "").splitlines()]


def test_the_last_frame_stays() -> None:
    frame = last_frame(live(failed_story()))
    assert frame[0] == "triage-20261124-120000-k3f9"
    assert frame[1] == "✓ issues     1.0 s"
    assert frame[2] == "✗ label      3.0 s  rate_limit (429 Too Many Requests)"
    assert frame[3] == "✗ report            blocked"


@pytest.mark.parametrize("width", [1, 10, 20, 40, 200])
@pytest.mark.parametrize("height", [1, 5, 50])
def test_any_size_of_terminal(width: int, height: int) -> None:
    text = _CONTROL.sub("", live(looped_story(500, done=100, failed=1), width, height))
    assert max(len(line) for line in text.replace("\r", "\n").splitlines()) <= width + 1


def test_output_is_printed_above_when_verbose_and_harmless() -> None:
    text = live(failed_story(), verbose=True)
    assert "x | said so" in text
    assert "\x1b[2J" not in text
    assert "said" not in live(failed_story())


def test_markup_in_foreign_text_means_nothing() -> None:
    story = Story("a")
    story.add(ev.Warned("[red]not red[/red] [/nonsense]"))
    assert "[red]not red[/red] [/nonsense]" in live(story, width=200)


def test_rich_draws_lines_that_are_cut_not_wrapped() -> None:
    console = Console(width=30)
    assert console.width == 30
    frame = last_frame(live(failed_story(), width=30))
    assert len(frame) == 4 + frame.count("")

import io
import os

import pytest

from agentrun.report.screen import Screen
from agentrun.report.table import Cell, table
from tests.report.story import FakeTerminal, plain_screen


def test_a_pipe_gets_no_colours() -> None:
    screen, _ = plain_screen()
    assert screen.paint("red", "x") == "x"


def test_a_terminal_gets_colours_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Screen(FakeTerminal()).paint("red", "x") == "\x1b[31mx\x1b[0m"
    assert Screen(FakeTerminal(), color=False).paint("red", "x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Screen(FakeTerminal()).paint("red", "x") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Screen(FakeTerminal()).paint("red", "x") == "x"


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:
        screen = Screen(stream)
        screen.line("nobody reads this")
        assert screen.broken
        screen.line("nor this")


def test_text_is_utf8_whatever_the_locale() -> None:
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding="ascii"))
    screen.line("grüße \ud800")
    assert raw.getvalue() == "grüße \\ud800\n".encode()


def test_tables_align_and_leave_out_empty_columns() -> None:
    screen, _ = plain_screen()
    rows = [(Cell("中文"), Cell(""), Cell("b")), (Cell("a"), Cell(""), Cell("c"))]
    assert list(table(screen, ("one", "two", "three"), rows)) == [
        "one   three",
        "中文  b",
        "a     c",
    ]


def test_a_table_on_a_narrow_terminal_is_cut_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "width", 30)
    screen = Screen(FakeTerminal(), color=False)
    lines = list(table(screen, ("step", "what"), [(Cell("label"), Cell("x" * 100))]))
    assert all(len(line) <= 30 for line in lines)
    assert lines[1].endswith("…")

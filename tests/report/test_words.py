import shlex

import pytest
from hypothesis import given, strategies as st

from agentrun.report import words
from agentrun.report.table import columns, cut
from tests.report.story import START


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.004, "4 ms"),
        (0.00001, "1 ms"),
        (0.34, "0.3 s"),
        (3.21, "3.2 s"),
        (9.96, "10 s"),
        (59.6, "1m 00s"),
        (125, "2m 05s"),
        (3720, "1h 02m"),
        (100_000, "1d 03h"),
        (-5, "0.0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_moments() -> None:
    assert words.clock(START) == "12:00:00"
    assert words.date(START) == "2026-11-24 12:00"
    assert words.iso(START + 0.5) == "2026-11-24T12:00:00.500Z"
    assert words.until(START + 300, START) == "until 12:05:00 (in 5m 00s)"
    assert words.until(START + 90_000, START) == "until 2026-11-25 13:00 (in 1d 01h)"
    assert words.until(START - 1, START) == "until 11:59:59, which is past"


@pytest.mark.parametrize(
    ("price", "incomplete", "text"),
    [
        (0.0, False, "$0.00"),
        (0.0123, False, "$0.0123"),
        (12.5, False, "$12.50"),
        (0.5, True, "at least $0.5000"),
        (0.0, True, "price unknown"),
    ],
)
def test_prices(price: float, incomplete: bool, text: str) -> None:
    assert words.usd(price, incomplete=incomplete) == text


def test_numbers() -> None:
    assert [words.short_number(n) for n in (7, 1234, 999_949, 3_400_000)] == [
        "7",
        "1.2k",
        "999.9k",
        "3.4M",
    ]
    assert [words.size(n) for n in (512, 1200, 3_400_000)] == ["512 B", "1.2 kB", "3.4 MB"]
    assert words.plural(1, "step") == "1 step"
    assert words.plural(1234, "step") == "1,234 steps"
    assert words.listing("abc", 2) == "a, b and 1 more"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;ZXZpbA==\x1b\\text", "text"),
        ("\x1bPq#0\x1b\\text", "text"),
        ("a\x9b31mb", "a\\x9b31mb"),
        ("bell\x07", "bell\\x07"),
        ("over\roverwritten", "over\\x0doverwritten"),
        ("\u202eevil\u202c", "\\u202eevil\\u202c"),
        ("\ud800", "\\ud800"),
        ("tabs\tand\nlines stay", "tabs\tand\nlines stay"),
        ("grüße 中文", "grüße 中文"),
    ],
)
def test_foreign_text_is_made_harmless(hostile: str, shown: str) -> None:
    assert words.safe(hostile) == shown


@given(st.text())
def test_nothing_that_controls_a_terminal_gets_through(text: str) -> None:
    shown = words.safe(text)
    assert not any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 for char in shown)
    assert "\x9b" not in shown


def test_one_line_is_one_line_and_not_long() -> None:
    assert words.one_line("a\n  b\tc") == "a b c"
    assert words.one_line("x" * 1000, 10) == "x" * 9 + "…"


@given(st.text(), st.integers(1, 30))
def test_cut_fits(text: str, width: int) -> None:
    assert columns(cut(text, width)) <= max(width, 1)


@given(st.lists(st.text()))
def test_typed_commands_are_quoted_as_the_shell_wants_it(parts: list[str]) -> None:
    assert words.typed(parts) == shlex.join(parts)


def test_typed_commands_are_quoted() -> None:
    assert words.typed(["agentrun", "logs", "x y", "label[3]"]) == "agentrun logs 'x y' 'label[3]'"

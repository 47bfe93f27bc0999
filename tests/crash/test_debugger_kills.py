"""A few kills in the Debugger's loop; `python -m tests.crash.debugger` makes all of them."""

from pathlib import Path

import pytest

from tests.crash.debugger import CASES, at_call, from_within

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("rule", "attempt"),
        ("remedy", "agent"),
        ("remedy", "remedy"),
        ("edit that helps", "attempt"),
        ("edit that does not help", "agent"),
        ("the second fix helps", "attempt"),
        ("an earlier step again", "attempt"),
        ("the other way", "agent"),
    ],
)
def test_killed_by_what_it_waits_for(name: str, where: str, tmp_path: Path) -> None:
    from_within(tmp_path / "folder", CASES[name], where)


@pytest.mark.parametrize(
    ("name", "number"),
    [("rule", 67), ("remedy", 97), ("edit that helps", 83), ("the second fix helps", 127)],
)
def test_killed_at_a_call(name: str, number: int, tmp_path: Path) -> None:
    assert at_call(tmp_path / "folder", CASES[name], number)

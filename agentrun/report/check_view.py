"""`doctor`: one line a check."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from agentrun.core.model import Json
from agentrun.report import words
from agentrun.report.screen import Screen, Style


class Check(NamedTuple):
    """`bad`: a run would fail; `warning`: it may."""

    name: str
    state: Literal["ok", "warning", "bad"]
    text: str
    hint: str = ""


_STYLES: dict[str, Style] = {"ok": "green", "warning": "yellow", "bad": "red"}


def check_lines(checks: Sequence[Check], screen: Screen) -> Iterator[str]:
    """Yield the checks."""
    for check in checks:
        state = screen.paint(_STYLES[check.state], check.state.ljust(7))
        yield f"{state}  {check.name}: {words.one_line(check.text)}"
        if check.hint and check.state != "ok":
            yield f"         {screen.paint('dim', words.one_line(check.hint))}"


def check_object(checks: Sequence[Check]) -> dict[str, Json]:
    """Return the checks as data."""
    ok = all(check.state != "bad" for check in checks)
    return {"ok": ok, "checks": [check._asdict() for check in checks]}

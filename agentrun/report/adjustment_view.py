"""What an adjustment, or a fix, changed about a step: its definition before and after."""

from collections.abc import Iterator, Sequence

from msgspec import to_builtins

from agentrun.core.events import Adjustment
from agentrun.core.model import Json, Step
from agentrun.recovery.adjust.apply import adjusted
from agentrun.report import words
from agentrun.report.result import json_text
from agentrun.report.screen import Screen
from agentrun.report.since_success import differing

_ABSENT: tuple[Json, ...] = (None, (), [], {}, False)


def adjustment_lines(
    step: Step | None, before: Sequence[Adjustment], new: Sequence[Adjustment], screen: Screen
) -> Iterator[str]:
    """Yield why the step was changed and what is different in it. `before` were in force already;
    without a definition (`step` None) the changes stand alone.
    """
    for adjustment in new:
        yield f"  {words.one_line(adjustment.reason or adjustment.kind)}"
        if step is None:
            yield f"  {screen.paint('green', '+ ' + _text(dict(adjustment.change)))}"
    if step is None:
        return
    old = to_builtins(adjusted(step, before))
    now = to_builtins(adjusted(step, [*before, *new]))
    lines: dict[str, None] = {}  # what is set for the attempt may also stand in its step
    for name, was, is_ in differing(old, now):
        if was not in _ABSENT:
            lines[screen.paint("red", f"- {name}: {_text(was)}")] = None
        if is_ not in _ABSENT:
            lines[screen.paint("green", f"+ {name}: {_text(is_)}")] = None
    yield from (f"  {line}" for line in lines)


def _text(value: Json) -> str:
    return words.one_line(value if isinstance(value, str) else json_text(value))

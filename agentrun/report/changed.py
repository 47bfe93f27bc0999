"""One value before and after: on one line where it fits, else on two in the colours of a diff."""

from collections.abc import Iterator

from agentrun.core.model import Json
from agentrun.report import words
from agentrun.report.result import json_text
from agentrun.report.screen import Style

MAX_ON_ONE_LINE = 60


def changed_lines(what: str, old: Json, new: Json) -> Iterator[tuple[Style, str]]:
    """Yield the lines that say what changed, each after its style."""
    was, is_ = _text(old), _text(new)
    if len(was) + len(is_) <= MAX_ON_ONE_LINE:
        yield "", f"  {words.one_line(what)}: {was} → {is_}"
        return
    yield "", f"  {words.one_line(what)}:"
    yield "red", f"  - {was}"
    yield "green", f"  + {is_}"


def _text(value: Json) -> str:
    if value is None:
        return "none"
    return words.one_line(value if isinstance(value, str) and value else json_text(value))

"""Tables for terminals and pipes: aligned columns, the last one cut to the width.

Rich draws finer ones, at 47 ms of CPU for its import: `list` and `inspect` are typed too often.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from agentrun.report.screen import Screen, Style


class Cell(NamedTuple):
    """One cell; its text must be harmless already."""

    text: str
    style: Style = ""


def table(
    screen: Screen, header: Sequence[str], rows: Iterable[Sequence[Cell]], indent: str = ""
) -> Iterator[str]:
    """Yield the lines of a table. Columns that are empty in every row are left out."""
    body = [list(row) for row in rows]
    kept = [i for i in range(len(header)) if any(row[i].text for row in body)]
    titles = [Cell(header[i], "dim") for i in kept]
    grid = [titles, *([row[i] for i in kept] for row in body)]
    widths = [max(columns(row[i].text) for row in grid) for i in range(len(kept))]
    for row in grid:
        yield indent + _line(screen, row, widths, screen.width - len(indent))


def _line(screen: Screen, row: Sequence[Cell], widths: Sequence[int], room: int) -> str:
    parts = []
    for index, cell in enumerate(row):
        last = index == len(row) - 1
        text = cut(cell.text, max(room, 8)) if screen.terminal else cell.text
        gap = "" if last else " " * (widths[index] - columns(text) + 2)
        parts.append(screen.paint(cell.style, text) + gap)
        room -= widths[index] + 2
    return "".join(parts).rstrip()


def columns(text: str) -> int:
    """Return how many columns of a terminal the text fills."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, width: int) -> str:
    """Return the text, cut with an ellipsis so that it fills at most `width` columns."""
    if columns(text) <= width:
        return text
    kept = ""
    for char in text:
        if columns(kept + char) > width - 1:
            break
        kept += char
    return kept + "…"

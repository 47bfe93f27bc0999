"""Lines that the report's functions paint for a terminal, as Textual content.

They paint with escape sequences of their own, around foreign text that has none left
(`words.safe`). So what looks like a sequence here is ours; anything else is taken out once more.
"""

import io
import re
from collections.abc import Iterable

from textual.content import Content

from agentrun.report import words
from agentrun.report.screen import Screen

STYLES = {
    "1": "bold",
    "2": "dim",
    "31": "$text-error",
    "32": "$text-success",
    "33": "$text-warning",
    "34": "$text-primary",
    "36": "$text-primary",
}
NAMES = {
    "": "",
    "bold": "bold",
    "dim": "dim",
    "red": "$text-error",
    "green": "$text-success",
    "yellow": "$text-warning",
    "blue": "$text-primary",
    "cyan": "$text-primary",
}
_PAINTED = re.compile(r"\x1b\[(\d+)m([^\x1b]*)\x1b\[0m")
TAB_COLUMNS = 4


class Painter(Screen):
    """A screen of some width that nothing is written to: it only paints."""

    def __init__(self, columns: int) -> None:
        super().__init__(io.StringIO())
        self.terminal = self.color = True
        self._columns = max(20, columns)

    @property
    def width(self) -> int:
        """Return the columns there are."""
        return self._columns


def content_of(lines: Iterable[str]) -> Content:
    """Return painted lines as content; nothing in it is read as markup."""
    parts: list[tuple[str, str]] = []
    for line in lines:
        end = 0
        for match in _PAINTED.finditer(line):
            parts.append((_harmless(line[end : match.start()]), ""))
            parts.append((_harmless(match[2]), STYLES.get(match[1], "")))
            end = match.end()
        parts.append((_harmless(line[end:]) + "\n", ""))
    return Content.assemble(*(part for part in parts if part[0]))


def _harmless(text: str) -> str:
    return words.safe(text).expandtabs(TAB_COLUMNS)

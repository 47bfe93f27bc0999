"""A stream that people look at: its colours, its width, and its sudden end.

Owns what depends on the device. A reader that went away (`agentrun ... | head`) is no failure of
the task: from then on the screen swallows what it is given.
"""

import os
import sys
from collections.abc import Iterable
from typing import Literal, TextIO

Style = Literal["", "bold", "dim", "red", "green", "yellow", "blue", "cyan"]

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
DEFAULT_WIDTH = 100


class Screen:
    """Writes lines to one stream. `color` None means: on a terminal, unless NO_COLOR is set.
    `is_output` says that what it is given must not get lost unnoticed.
    """

    def __init__(
        self, stream: TextIO, *, color: bool | None = None, is_output: bool = False
    ) -> None:
        self.stream, self.is_output = stream, is_output
        self.terminal = _is_terminal(stream)
        self.color = self._wants_color() if color is None else color and self.terminal
        self.broken = False

    def _wants_color(self) -> bool:
        return self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Return the columns of the terminal, asked anew each time because it may be resized."""
        if not self.terminal:
            return DEFAULT_WIDTH
        try:
            return max(20, os.get_terminal_size(self.stream.fileno()).columns or DEFAULT_WIDTH)
        except OSError:
            return DEFAULT_WIDTH

    def paint(self, style: Style, text: str) -> str:
        """Return the text in a style, where there are colours."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.color and style else text

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(text + "\n")

    def lines(self, texts: Iterable[str]) -> None:
        """Write lines at once."""
        self.write("".join(text + "\n" for text in texts))

    def write(self, text: str) -> None:
        """Write text as UTF-8, whatever the locale says."""
        self.write_bytes(text.encode("utf-8", "backslashreplace"))

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self.broken:
            return
        try:
            self.stream.flush()
            raw = getattr(self.stream, "buffer", None)
            if raw is None:
                self.stream.write(data.decode("utf-8", "replace"))
            else:
                raw.write(data)
                raw.flush()
            self.stream.flush()
        except (BrokenPipeError, ValueError):
            self.give_up()
        except OSError as error:  # a full disk behind `> file`: the task must not die of it
            self.give_up()
            if self.is_output:
                _lost.append(error)

    def give_up(self) -> None:
        """Swallow everything from now on, also what Python flushes at its end."""
        self.broken = True
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)
        except (OSError, ValueError):
            return


_lost: list[OSError] = []


def lost_output() -> OSError | None:
    """Return why stdout did not take all it was given, None when it did or its reader went away."""
    return _lost.pop() if _lost else None


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def stdout(*, color: bool | None = None) -> Screen:
    """Return the screen for results and views."""
    return Screen(sys.stdout, color=color, is_output=True)


def stderr(*, color: bool | None = None) -> Screen:
    """Return the screen for progress, warnings and endings."""
    return Screen(sys.stderr, color=color)

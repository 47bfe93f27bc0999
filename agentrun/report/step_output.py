"""What steps print, cut into whole harmless lines, each said with its step.

Bytes come in any portion, from many steps at once; a line is passed on when it is whole, or longer
than anyone reads.
"""

from collections.abc import Callable

from agentrun.report import words

MAX_LINE_BYTES = 2000


class StepOutput:
    """Collects the bytes of each step and passes lines on to `say(step, line)`."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._rest: dict[str, bytes] = {}

    def feed(self, step: str, attempt: int, data: bytes) -> None:  # noqa: ARG002 - one at a time
        """Take over what a step printed."""
        *lines, rest = (self._rest.pop(step, b"") + data).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            self._pass_on(step, line)
        if rest:
            self._rest[step] = rest

    def flush(self) -> None:
        """Pass on what did not end with a line end."""
        rest, self._rest = self._rest, {}
        for step, line in rest.items():
            self._pass_on(step, line)

    def _pass_on(self, step: str, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].rstrip(b"\r").decode("utf-8", "replace")
        cut = " …" if len(line) > MAX_LINE_BYTES else ""
        self._say(step, words.safe(text.rpartition("\r")[2]) + cut)

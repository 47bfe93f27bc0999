"""Takes what a CLI prints apart while it prints: JSON values into the `Answer`, the rest aside.

Owns the limits (a line, the whole) and what is left for a message when there is no JSON: the lines
that were none, and the standard error. The log gets every byte as it came.
"""

import asyncio
import json
from collections import deque

from agentrun.steps.agents.contract import Answer, Dialect
from agentrun.steps.kind import AttemptLog

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_SAID = 200
MAX_ASIDE_CHARS = 8 * 1024


class Reading:
    """The streams of one run. Is the log that the process is given, and its `on_stdout`."""

    def __init__(self, dialect: Dialect, log: AttemptLog) -> None:
        self.answer = Answer()
        self.told = asyncio.Event()
        self._dialect = dialect
        self._log = log
        self._part = bytearray()
        self._aside: deque[str] = deque()
        self._aside_chars = 0
        self._last: bytes | None = None
        self.values = 0

    # -- AttemptLog: both streams come through here, stdout then goes to `stdout` as well ---------

    def write(self, data: bytes) -> None:
        """Log what came; until `stdout` claims it, it is standard error."""
        self._keep_aside()
        self._log.write(data)
        self._last = data
        if self._dialect.overhear is not None:  # once `stdout` has had its turn
            asyncio.get_running_loop().call_soon(self._keep_aside)

    def tail(self, max_bytes: int = 4096) -> str:
        """Return the end of the log."""
        return self._log.tail(max_bytes)

    def excerpt(self, max_bytes: int = 24 * 1024) -> str:
        """Return the beginning and the end of the log."""
        return self._log.excerpt(max_bytes)

    def stdout(self, data: bytes) -> None:
        """Take a piece of standard output."""
        self._last = None
        if len(self._part) + len(data) > MAX_LINE_BYTES:
            self.answer.flooded = True
            self.told.set()
        if self.answer.flooded:
            self._part.clear()
            return
        self._part += data
        if self._dialect.form != "lines" or b"\n" not in data:
            return
        *lines, rest = self._part.split(b"\n")
        self._part = bytearray(rest)
        for line in lines:
            self._take(line.decode("utf-8", "replace"))

    def end(self) -> None:
        """Take what is left when the streams are at their end."""
        self._keep_aside()
        text = self._part.decode("utf-8", "replace")
        self._part.clear()
        if self._dialect.form == "text":
            self._dialect.read(text, self.answer)
        elif text.strip():
            self._take(text)

    @property
    def aside(self) -> str:
        """What was printed and is no JSON."""
        return "\n".join(self._aside)

    def _keep_aside(self) -> None:
        if self._last is None:
            return
        text, self._last = self._last.decode("utf-8", "replace").rstrip("\n"), None
        if self._dialect.overhear is not None:
            self._dialect.overhear(text, self.answer)
            if self.answer.waits:
                self.told.set()
        if self._dialect.advice is not None:
            text = self._dialect.advice.sub("", text)
        self._put_aside(text)

    def _take(self, text: str) -> None:
        value = _json(text)
        if not isinstance(value, dict | list):
            self._put_aside(text)
            return
        self.values += 1
        self._dialect.read(value, self.answer)
        del self.answer.said[:-MAX_SAID]
        if self.answer.session is not None or self.answer.hopeless:
            self.told.set()

    def _put_aside(self, text: str) -> None:
        if not text.strip():
            return
        self._aside.append(text[-MAX_ASIDE_CHARS:])
        self._aside_chars += len(self._aside[-1])
        while self._aside_chars > MAX_ASIDE_CHARS and len(self._aside) > 1:
            self._aside_chars -= len(self._aside.popleft())


def _json(text: str) -> object:
    """Return the JSON value in a text: the whole, or an object that begins a line in it."""
    text = text.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    start = text.find("\n{") + 1
    if not start or not text.endswith("}"):
        return None
    try:
        return json.loads(text[start:])
    except (ValueError, RecursionError):
        return None

"""What other processes say to the one that holds a task: answers and cancellations, as files.

    <task>/answers/<name>.json        {"step": ..., "answer": ..., "by": ..., "digest": ...}
    <task>/cancel                     the reason, in UTF-8

A file appears by rename, so it is there whole or not at all. The holder looks twice a second, and
for `cancel` at once when it gets a SIGTERM; what it has recorded, it removes. Without a holder,
answers are read by the next `resume`. `digest` is that of the question (`approval_asked`): an
answer to what was asked before does not count. Whoever writes the file by hand may leave it out.
"""

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from agentrun.core import events as ev
from agentrun.core.value import encoded, whole
from agentrun.errors import UsageError
from agentrun.runner.edit import answered
from agentrun.runner.loop import Loop

LOOK_EVERY_S = 0.5
MAX_LETTER_BYTES = 64 * 1024
MAX_LETTERS = 1000


class Letter(Struct, frozen=True):
    """An answer to a step that waits for one."""

    step: str
    answer: str
    by: str = "a file"
    digest: str = ""


class Mailbox:
    """The letters of the task in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._answers = folder / "answers"
        self._cancel = folder / "cancel"

    def post(self, letter: Letter) -> Path:
        """Leave an answer for the process that holds the task; return its file."""
        self._answers.mkdir(mode=0o700, exist_ok=True)
        path = self._answers / f"{len(os.listdir(self._answers)):04d}-{os.getpid()}.json"
        _write(path, encoded(letter))
        return path

    def post_cancellation(self, reason: str) -> None:
        """Leave the reason why the next SIGTERM is a cancellation."""
        _write(self._cancel, whole(reason).encode())

    def cancellation(self) -> str | None:
        """Take the reason of a cancellation, if one was asked for."""
        try:
            reason = self._cancel.read_bytes()[:MAX_LETTER_BYTES].decode("utf-8", "replace")
        except OSError:
            return None
        with contextlib.suppress(OSError):
            self._cancel.unlink()
        return reason

    async def watch(self, loop: Loop) -> None:
        """Hand answers to the loop as they come, as long as it runs."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look(loop)

    def look(self, loop: Loop) -> None:
        """Hand the answers that are there to the loop, and a cancellation."""
        reason = self.cancellation()
        if reason is not None:
            loop.stop(ev.TaskCancelled(reason))
        for path in self._letters():
            loop.deliver(lambda path=path: self._take(loop, path))  # type: ignore[misc]

    def _letters(self) -> list[Path]:
        try:
            names = sorted(os.listdir(self._answers))[:MAX_LETTERS]
        except FileNotFoundError:
            return []
        return [self._answers / name for name in names if name.endswith(".json")]

    def _take(self, loop: Loop, path: Path) -> None:
        try:
            letter = msgspec.json.decode(path.read_bytes()[:MAX_LETTER_BYTES], type=Letter)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            loop.record(ev.Warned(f"an answer could not be read: {path.name}"))
            path.rename(path.with_suffix(".unreadable"))
            return
        try:
            for event in answered(loop.state, letter.step, letter.answer, letter.by, letter.digest):
                loop.record(event)
        except UsageError as error:
            loop.record(ev.Warned(error.message, letter.step))
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    aside = path.with_suffix(f".{os.getpid()}.new")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
    os.rename(aside, path)

"""Runs one program to its end, as a process group of its own, and leaves nothing behind.

Owns the life of a child: start, streams, the moment it is over, and the end of all its
descendants. Refuses to know what the program means, and never waits for the end of a pipe that a
grandchild holds. There is no thread per child: a pidfd tells the loop when the leader has ended
(where the system has none, a look every few milliseconds).

What happens to descendants when the leader ends by itself: they get `DRAIN_S` to finish what they
are printing, then those in the leader's group or session are ended and the log says so. A daemon
that took a session of its own stays, as its author meant it. When the attempt is cut off (timeout,
interruption, a flood of output), every descendant goes, sessions of their own included.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Note, ProcessStarted
from agentrun.steps.exit_watch import ExitWatch
from agentrun.steps.guard import GUARD
from agentrun.steps.kind import AttemptLog
from agentrun.steps.not_started import evidence_of
from agentrun.steps.pipes import PipeReader, PipeWriter
from agentrun.steps.proc_table import GRACE_S, Ending, Target, end_all, find, process_start_time
from agentrun.steps.spawn import spawn

STDOUT_LIMIT_BYTES = 64 * 1024 * 1024
DRAIN_S = 0.5
DRAIN_LOOK_S = 0.002
DRAIN_PAUSE_S = 0.05
BLIND_WAIT_S = 0.1
READ_AFTER_S = 0.005
"""What a child prints before is read at this moment, or when it has ended: the pipe holds it, and
the end of either stream wakes nobody."""
NOTE_AFTER_S = 0.02
"""A process is recorded and guarded when it has lived this long: one that has ended leaves nothing
to end, and the record costs a sync. Should agentrun die earlier, a resume finds the process by the
marks in its environment."""
_MARKS = ("AGENTRUN_TASK_ID", "AGENTRUN_STEP", "AGENTRUN_ATTEMPT")
_PLACE = "AGENTRUN_STATE_DIR"
"""Where there is one, it tells the tasks of two checkpoint folders apart that have the same id."""


class Exit(Struct, frozen=True):
    """How a program ended.

    `exit_code` is as a shell tells it (128+N for a death by signal N), None when somebody else
    took the status. `flooded`: it printed more than the limit and was ended for it; `stdout` then
    holds the beginning.
    """

    exit_code: int | None
    signal: str | None
    stdout: bytes
    flooded: bool = False


class NotStarted(Exception):
    """The program could not be started; nothing took effect."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence.text)
        self.evidence = evidence


async def run_process(
    command: Sequence[str | bytes],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: AttemptLog,
    note: Callable[[Note], Awaitable[None]],
    stdin: bytes | None = None,
    pass_fds: Sequence[int] = (),
    stdout_limit: int = STDOUT_LIMIT_BYTES,
    on_stdout: Callable[[bytes], None] | None = None,
    grace_s: float = GRACE_S,
) -> Exit:
    """Run a program and return how it ended. Raises NotStarted.

    Both streams go to the log as they come; stdout is also kept, up to `stdout_limit` bytes, or
    handed to `on_stdout` and not kept. When cancelled, or when `note` fails, everything that was
    started is ended before the error passes.
    """
    child = _Child(env, log, stdout_limit, on_stdout)
    try:
        child.start(command, env, cwd, stdin, pass_fds)
    except (OSError, ValueError) as error:
        raise NotStarted(evidence_of(error, command, env, cwd)) from error
    try:
        return await child.run(note, grace_s)
    except BaseException:
        await _see_through(child.cut_off(grace_s), child.hurry)
        raise
    finally:
        child.close()


async def _see_through(ending: Coroutine[Any, Any, None], hurry: asyncio.Event) -> None:
    """Await what must not be left half done; being cancelled meanwhile means: hurry."""
    task = asyncio.ensure_future(ending)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            hurry.set()


class _Child:
    def __init__(
        self,
        env: Mapping[str, str],
        log: AttemptLog,
        stdout_limit: int,
        on_stdout: Callable[[bytes], None] | None,
    ) -> None:
        self.hurry = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._limit = stdout_limit
        self._on_stdout = on_stdout
        self._stdout = bytearray()
        self._flooded = False
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._looked_at: asyncio.Future[None] = self._loop.create_future()
        self._pid = 0
        self._status: int | None = None
        self._reaped = False
        self._guarded = False
        self._files: list[PipeReader | PipeWriter] = []
        self._marks = {name: env[name] for name in (*_MARKS, _PLACE) if name in env}
        self._started = 0
        self._watch: ExitWatch | None = None
        self._reading: asyncio.TimerHandle | None = None

    # -- start -----------------------------------------------------------------------------------

    def start(
        self,
        command: Sequence[str | bytes],
        env: Mapping[str, str],
        cwd: Path,
        stdin: bytes | None,
        pass_fds: Sequence[int],
    ) -> None:
        _keep_exit_statuses()
        with contextlib.ExitStack() as child_ends, contextlib.ExitStack() as on_failure:
            on_failure.callback(self.close)
            out = self._reader(child_ends, self._take_stdout)
            err = self._reader(child_ends, self._log.write)
            self._pid = spawn(
                command,
                env=env,
                cwd=cwd,
                stdin=None if stdin is None else self._writer(child_ends, stdin),
                stdout=out,
                stderr=err,
                pass_fds=pass_fds,
            )
            on_failure.pop_all()
        self._watch = ExitWatch(self._loop, self._pid, self._end)
        for file in self._files:
            if isinstance(file, PipeWriter):
                file.begin()
        self._reading = self._loop.call_later(READ_AFTER_S, self._begin_reading)

    def _begin_reading(self) -> None:
        for file in self._files:
            if isinstance(file, PipeReader):
                file.begin()

    def _reader(self, child_ends: contextlib.ExitStack, sink: Callable[[bytes], None]) -> int:
        ours, theirs = os.pipe()
        self._files.append(PipeReader(self._loop, ours, sink))
        child_ends.callback(os.close, theirs)
        return theirs

    def _writer(self, child_ends: contextlib.ExitStack, data: bytes) -> int:
        theirs, ours = os.pipe()
        self._files.append(PipeWriter(self._loop, ours, data))
        child_ends.callback(os.close, theirs)
        return theirs

    # -- while it runs ---------------------------------------------------------------------------

    async def run(self, note: Callable[[Note], Awaitable[None]], grace_s: float) -> Exit:
        look = self._loop.call_later(NOTE_AFTER_S, self._look)
        await self._looked_at
        look.cancel()
        if not self._over.done():
            GUARD.watch(self._pid)
            self._guarded = True
            self._learn_start()
            await note(ProcessStarted(self._pid, self._started))
            await self._over
        if self._flooded:
            await self.cut_off(grace_s)
        else:
            await self._finish(grace_s)
        code, name = _told(self._status)
        return Exit(code, name, bytes(self._stdout), self._flooded)

    def _learn_start(self) -> None:
        if not self._reaped and not self._started:
            self._started = process_start_time(self._pid) or 0

    def _look(self) -> None:
        if not self._looked_at.done():
            self._looked_at.set_result(None)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
        self._look()

    def _take_stdout(self, data: bytes) -> None:
        self._log.write(data)
        if self._on_stdout:
            self._on_stdout(data)
            return
        room = self._limit - len(self._stdout)
        self._stdout += data[:room]
        if len(data) > room:
            self._flooded = True
            self._end()

    # -- the end ---------------------------------------------------------------------------------

    async def _finish(self, grace_s: float) -> None:
        """Read what the leader left in the pipes, and end who is left of its group."""
        while not self._reap():  # noqa: ASYNC110 - a tracer (strace, a debugger) sees it first
            await asyncio.sleep(DRAIN_LOOK_S)
        self._read_rest()
        if not self._streams_open() and not _group_exists(self._pid):
            return
        self._begin_reading()
        group = Target(self._pid, self._started)
        deadline, pause_s = self._loop.time() + DRAIN_S, DRAIN_LOOK_S
        while self._streams_open() or find(group):
            if self._loop.time() >= deadline:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, DRAIN_PAUSE_S)
        ending = await end_all(group, grace_s, self.hurry)
        if ending.found:
            self._say(
                f"ended {_processes(ending.found)} that the step had left running"
                " (start a service with `setsid` if it must outlive its step)"
            )
        self._tell_survivors(ending)
        self._read_rest()

    async def cut_off(self, grace_s: float) -> None:
        """End the whole attempt; safe to call when it is over already."""
        self._learn_start()
        marks = self._marks if self._marks.keys() >= set(_MARKS) else {}
        leader = None if self._reaped and not _group_exists(self._pid) else self._pid
        try:
            ending = await end_all(Target(leader, self._started, marks), grace_s, self.hurry)
        except OSError as error:  # no descriptor is left to look with; a signal needs none
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            self._say(f"ended the group {self._pid} without a look at who survived: {error}")
            await asyncio.sleep(BLIND_WAIT_S)
        else:
            self._tell_survivors(ending)
        self._reap()
        self._read_rest()

    def close(self) -> None:
        """Let go of every descriptor."""
        if self._reading:
            self._reading.cancel()
        for file in self._files:
            file.close()
        if self._watch:
            self._watch.close()

    def _reap(self) -> bool:
        """Take the leader's exit status if it can be had; tell whether nothing is left to take."""
        if self._reaped or not self._pid:
            return True
        if self._guarded:
            GUARD.release(self._pid)
            self._guarded = False
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # somebody in this process waits for all children
            self._reaped = True
            return True
        if pid:
            self._reaped, self._status = True, status
        return self._reaped

    def _read_rest(self) -> None:
        for file in self._files:
            file.finish()

    def _streams_open(self) -> bool:
        return any(file.open for file in self._files if isinstance(file, PipeReader))

    def _tell_survivors(self, ending: Ending) -> None:
        if ending.survivors:
            self._say(f"could not end {_processes(ending.survivors)}: stuck, or another user's")

    def _say(self, line: str) -> None:
        self._log.write(f"[agentrun] {line}\n".encode())


def _processes(pids: Sequence[int]) -> str:
    word = "process" if len(pids) == 1 else "processes"
    return f"{word} {', '.join(map(str, pids))}"


def _told(status: int | None) -> tuple[int | None, str | None]:
    if status is None:
        return None, None
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code, None
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"SIGRTMIN+{-code - signal.SIGRTMIN}"
    return 128 - code, name


def _group_exists(group: int) -> bool:
    """Tell at once that nobody is left; True may also mean zombies that nobody reaps."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _keep_exit_statuses() -> None:
    """Undo an inherited `ignore` for SIGCHLD: the system would throw exit statuses away."""
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

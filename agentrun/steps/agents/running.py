"""Runs a CLI once and tells its session the moment it is known.

Owns the process while it lives: when the session's name is printed, `on_session` is awaited while
the CLI works on; when the CLI says that it only waits (`Answer.hopeless`), or prints without an
end (`Answer.flooded`), it is ended.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentrun.steps.agents.contract import Answer, Launch
from agentrun.steps.agents.reading import Reading
from agentrun.steps.kind import StepContext
from agentrun.steps.process import Exit, run_process

WAIT_GRACE_S = 1.5
"""How long a CLI that seems to wait by itself has to report that it failed."""

HURRY_S = 0.2
"""How long after it was asked to end it is made to hurry."""


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of a CLI ended. `exit` is None when it was ended by us; `aside` is what it
    printed beside its JSON, `printed` the end of everything, `values` how many JSON values it
    printed.
    """

    exit: Exit | None
    answer: Answer
    aside: str
    printed: str
    values: int = 0


async def run_cli(
    ctx: StepContext,
    reading: Reading,
    launch: Launch,
    cwd: Path,
    on_session: Callable[[str], Awaitable[None]],
) -> Run:
    """Run it to its end. Raises NotStarted; whatever else is raised, no process is left, and
    `reading` has what was printed.
    """
    process = asyncio.ensure_future(
        run_process(
            launch.command,
            env=environment(ctx, launch.env),
            cwd=cwd,
            log=reading,
            note=ctx.note,
            stdin=launch.stdin,
            on_stdout=reading.stdout,
        )
    )
    try:
        await _watch(process, reading, on_session)
    finally:
        await _end(process, hurry=bool(reading.answer.hopeless and reading.answer.waits))
    if process.cancelled():
        return Run(None, reading.answer, reading.aside, ctx.log.tail(), reading.values)
    ended = process.result()
    reading.end()
    if reading.answer.session is not None:
        await on_session(reading.answer.session)
    return Run(ended, reading.answer, reading.aside, ctx.log.tail(), reading.values)


async def _watch(
    process: "asyncio.Task[Exit]", reading: Reading, on_session: Callable[[str], Awaitable[None]]
) -> None:
    """Wait for the end; return before it when waiting on is of no use."""
    while not process.done():
        news = asyncio.ensure_future(reading.told.wait())
        try:
            await asyncio.wait((process, news), return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        reading.told.clear()
        if reading.answer.waits and not reading.answer.failed:
            await asyncio.wait((process,), timeout=WAIT_GRACE_S)
            if not process.done() and not reading.answer.failed:
                reading.answer.hopeless = reading.answer.waits
        if reading.answer.hopeless or reading.answer.flooded:
            return
        if reading.answer.session is not None:
            await on_session(reading.answer.session)


async def _end(process: "asyncio.Task[Exit]", *, hurry: bool) -> None:
    """Leave no process behind: cancelling ends it, and cancelling again makes it hurry. One that
    would go on asking meanwhile is made to hurry at once.
    """
    cancelled: asyncio.CancelledError | None = None
    while not process.done():
        process.cancel()
        try:
            await asyncio.wait((process,), timeout=HURRY_S if hurry else None)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def environment(ctx: StepContext, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the environment; what the workflow or the step sets stands over a CLI's needs."""
    env = dict(ctx.env)
    for name, value in changes.items():
        if name in ctx.own_env:
            continue
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env

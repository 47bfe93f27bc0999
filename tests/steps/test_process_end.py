"""Nothing that a step started outlives it: the ends that go wrong elsewhere."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.outcome import Note, Success
from agentrun.errors import NotWritable
from agentrun.steps.log import FileLog
from agentrun.steps.proc_table import Target, find
from agentrun.steps.process import run_process
from agentrun.steps.run import KIND

pytestmark = pytest.mark.anyio
Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


def alive(ctx: Any) -> list[int]:
    """Whoever carries the marks of the attempt, wherever it went."""
    return [p.pid for p in find(Target(marks=ctx.own_env))]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


GRACE_S = 300.0
"""So long a grace that a test which uses it up has failed."""


async def start(ctx: Any, command: list[str], grace_s: float = GRACE_S) -> "asyncio.Task[Any]":
    work = run_process(
        command, env=ctx.env, cwd=ctx.cwd, log=ctx.log, note=ctx.note, grace_s=grace_s
    )
    return asyncio.ensure_future(work)


async def cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)


async def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(
    make_ctx: Any, log: FileLog
) -> None:
    ctx = make_ctx(command="sleep 300 & echo started")
    outcome = await asyncio.wait_for(KIND.execute(ctx), 60)
    assert isinstance(outcome, Success)
    assert outcome.output == "started\n"
    assert alive(ctx) == []
    assert "that the step had left running" in log.tail()


async def test_what_a_descendant_still_prints_is_not_lost(make_ctx: Any) -> None:
    # bash does not wait for a process substitution: `tee` may print after its end
    outcome = await KIND.execute(make_ctx(command="exec > >(sleep 0.1; cat); echo late"))
    assert isinstance(outcome, Success)
    assert outcome.output == "late\n"


async def test_a_background_process_of_another_group_of_the_session(
    make_ctx: Any, log: FileLog
) -> None:
    ctx = make_ctx(command="set -m; sleep 300 & echo started")
    await KIND.execute(ctx)
    assert alive(ctx) == []


async def test_a_service_in_a_session_of_its_own_outlives_a_step_that_succeeded(
    make_ctx: Any, eventually: Eventually
) -> None:
    ctx = make_ctx(command="setsid sleep 300 >/dev/null 2>&1 < /dev/null & sleep 0.1")
    assert isinstance(await asyncio.wait_for(KIND.execute(ctx), 60), Success)
    (service,) = alive(ctx)
    os.kill(service, signal.SIGKILL)
    await eventually(lambda: not alive(ctx))


async def test_cancelling_ends_the_whole_group(make_ctx: Any, eventually: Eventually) -> None:
    ctx = make_ctx()
    task = await start(ctx, ["bash", "-c", "sleep 300 & sleep 300 | cat; true"])
    await eventually(lambda: len(alive(ctx)) >= 4)
    await cancel(task)
    assert alive(ctx) == []


async def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(
    make_ctx: Any, eventually: Eventually
) -> None:
    ctx = make_ctx()
    task = await start(ctx, ["bash", "-c", "trap '' TERM; echo ready; sleep 300; sleep 300"], 0.3)
    await eventually(lambda: "ready" in ctx.log.tail())
    began = time.monotonic()
    await cancel(task)
    assert time.monotonic() - began >= 0.3
    assert alive(ctx) == []


async def test_the_grace_is_used_to_clean_up(make_ctx: Any, eventually: Eventually) -> None:
    ctx = make_ctx()
    command = "trap 'echo cleaned; exit 1' TERM; echo ready; while :; do sleep 0.05; done"
    task = await start(ctx, ["bash", "-c", command])
    await eventually(lambda: "ready" in ctx.log.tail())
    await cancel(task)
    assert "cleaned" in ctx.log.tail()


async def test_a_second_interruption_cuts_the_grace_short(
    make_ctx: Any, eventually: Eventually
) -> None:
    ctx = make_ctx()
    command = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    task = await start(ctx, ["bash", "-c", command])
    await eventually(lambda: "ready" in ctx.log.tail())
    task.cancel()
    await asyncio.sleep(0.05)
    await cancel(task)
    assert alive(ctx) == []


async def test_a_daemon_that_forked_twice_goes_with_its_cancelled_attempt(
    make_ctx: Any, eventually: Eventually
) -> None:
    ctx = make_ctx()
    code = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print("daemon", os.getpid(), flush=True)
                time.sleep(300)
            os._exit(0)
        time.sleep(300)
    """
    task = await start(ctx, python(code))
    await eventually(lambda: "daemon" in ctx.log.tail())
    assert int(ctx.log.tail().split()[1]) in alive(ctx)
    await cancel(task)
    assert alive(ctx) == []


async def test_a_stopped_process_is_woken_to_end(make_ctx: Any, eventually: Eventually) -> None:
    ctx = make_ctx()
    task = await start(ctx, ["bash", "-c", "echo ready; kill -STOP $$; sleep 300"])
    await eventually(lambda: "ready" in ctx.log.tail())
    await cancel(task)
    assert alive(ctx) == []


async def test_a_zombie_counts_as_gone(make_ctx: Any, eventually: Eventually) -> None:
    ctx = make_ctx()
    code = """
        import os, time
        if os.fork() == 0:
            os._exit(0)
        print("ready", flush=True)
        time.sleep(300)
    """
    task = await start(ctx, python(code))
    await eventually(lambda: "ready" in ctx.log.tail())
    await cancel(task)
    assert "could not end" not in ctx.log.tail()


async def test_a_leader_that_ends_while_it_is_cancelled(make_ctx: Any) -> None:
    for _ in range(20):
        ctx = make_ctx()
        task = await start(ctx, ["true"])
        await asyncio.sleep(0.001)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert alive(ctx) == []


async def test_a_record_that_fails_ends_the_process_and_passes(make_ctx: Any) -> None:
    async def full(_note: Note) -> None:
        raise NotWritable("the disk is full")

    ctx = make_ctx(command="sleep 300", note=full)
    with pytest.raises(NotWritable):
        await KIND.execute(ctx)
    assert alive(ctx) == []


async def test_the_group_is_ended_even_without_a_descriptor_to_look_with(
    make_ctx: Any, eventually: Eventually
) -> None:
    ctx = make_ctx()
    task = await start(ctx, ["bash", "-c", "sleep 300 & echo ready; sleep 300; true"])
    await eventually(lambda: "ready" in ctx.log.tail())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        await cancel(task)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await eventually(lambda: not alive(ctx))


async def test_many_at_once(make_ctx: Any) -> None:
    ctxs = [make_ctx(command=f"sleep 0.05; echo {n}") for n in range(40)]
    outcomes = await asyncio.gather(*(KIND.execute(ctx) for ctx in ctxs))
    assert [o.output for o in outcomes if isinstance(o, Success)] == [f"{n}\n" for n in range(40)]


@pytest.mark.slow
async def test_children_die_with_an_agentrun_that_is_killed(
    tmp_path: Path, eventually: Eventually
) -> None:
    code = f"""
        import asyncio, os
        from pathlib import Path
        from agentrun.steps.log import FileLog
        from agentrun.steps.process import run_process

        async def note(n):
            print(n.pid, flush=True)

        log = FileLog(Path({str(tmp_path / "log")!r}))
        asyncio.run(run_process(
            ["bash", "-c", "trap '' TERM; sleep 300 & sleep 300; true"],
            env=os.environ, cwd=Path("/"), log=log, note=note,
        ))
    """
    root = Path(__file__).parents[2]
    agentrun = await asyncio.create_subprocess_exec(
        *python(code), stdout=asyncio.subprocess.PIPE, cwd=root
    )
    assert agentrun.stdout is not None
    group = int(await asyncio.wait_for(agentrun.stdout.readline(), 20))
    assert len(find(Target(group))) >= 2
    agentrun.kill()
    await agentrun.wait()
    await eventually(lambda: not find(Target(group)))

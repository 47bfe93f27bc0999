"""Calls the function of a `python` step in this process."""

import asyncio
from functools import partial
from pathlib import Path

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.calling import call_target, is_async, is_awaitable, settle
from agentrun.steps.kind import StepContext
from agentrun.steps.quick import CALLS
from agentrun.steps.streams import PrintingTo
from agentrun.steps.target import known_function


async def perform(ctx: StepContext) -> Success | Evidence:
    """Find the function, call it with what it prints going to the log, and settle what it gives."""
    target = str(ctx.spec["target"])
    known = known_function(target, ctx.base_dir)
    job = partial(call_target, target, ctx.base_dir, ctx.with_, known)
    with PrintingTo(ctx.log):
        if is_async(known):
            result = job()  # the call itself runs nothing of it
        else:
            result = await CALLS.call(_name(target, ctx.base_dir), job, alone=ctx.alone)
            if is_awaitable(result):  # the call may have been begun in the caller's task: what is
                await asyncio.sleep(0)  # awaited now needs one of its own
        return await settle(result)


def is_quick(target: str, base_dir: Path) -> bool:
    """Return whether the function would be called on the loop, were it alone there."""
    return CALLS.is_quick(_name(target, base_dir))


def _name(target: str, base_dir: Path) -> str:
    return f"{base_dir}/{target}"

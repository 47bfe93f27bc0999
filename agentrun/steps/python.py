"""The step kind `python`: a function, called with `with` as keywords.

Owns where a function is called: in this process (see quick.py; async on the loop), or, when
the step is isolated, in a worker process that can be ended. Refuses to know what made the step
isolated, how a function is found (target.py) and what its end means (calling.py).

A sync function in this process can't be stopped: when its attempt is cancelled it runs on in its
thread until agentrun ends. A step that must be stoppable declares a `timeout`, which isolates it.
"""

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext, StepKind

if TYPE_CHECKING:  # importing a kind must stay cheap: `validate` runs nothing
    from agentrun.steps.process import Exit

RESULT_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PythonSpec:
    """What stands under `python`."""

    target: Annotated[
        str, "`module:function` or `file.py:function`, found from the folder of the workflow file"
    ]


async def _execute(ctx: StepContext) -> Success | Evidence:
    outcome = await (_in_worker(ctx) if ctx.isolated else _in_process(ctx))
    if isinstance(outcome, Evidence) and outcome.exception:
        ctx.log.write(f"{outcome.text.rstrip()}\n".encode("utf-8", "replace"))
    return outcome


async def _in_process(ctx: StepContext) -> Success | Evidence:
    from agentrun.steps.in_process import perform

    return await perform(ctx)


def _is_quick(spec: Mapping[str, Json], base_dir: Path) -> bool:
    from agentrun.steps.in_process import is_quick

    return is_quick(str(spec["target"]), base_dir)


async def _in_worker(ctx: StepContext) -> Success | Evidence:
    from agentrun.steps.nameless import nameless_file, read_nameless
    from agentrun.steps.process import NotStarted, run_process

    job = {"target": ctx.spec["target"], "base_dir": str(ctx.base_dir), "with": ctx.with_}
    with nameless_file(json.dumps(job).encode()) as given, nameless_file() as answered:
        worker = str(Path(__file__).with_name("python_worker.py"))
        try:
            ended = await run_process(
                # -P: neither the worker's folder nor the step's comes first on sys.path
                (sys.executable, "-P", worker, f"{given}", f"{answered}"),
                env=ctx.env,
                cwd=ctx.cwd,
                log=ctx.log,
                note=ctx.note,
                pass_fds=(given, answered),
                on_stdout=lambda _: None,
            )
        except NotStarted as error:
            return error.evidence
        return _read_answer(read_nameless(answered, RESULT_LIMIT_BYTES), ended, ctx)


def _read_answer(answer: bytes, ended: "Exit", ctx: StepContext) -> Success | Evidence:
    # not msgspec's decoder: it makes floats of integers beyond 64 bits
    with contextlib.suppress(ValueError):  # nothing, or cut off: the worker died
        told = json.loads(answer)
        if "output" in told:
            return Success(output=told["output"])
        return msgspec.convert(told["evidence"], Evidence)
    return Evidence(
        channel="subprocess",
        command="python",
        exit_code=ended.exit_code,
        signal=ended.signal,
        text=f"{ctx.log.excerpt()}\nthe worker process ended before the function returned",
    )


KIND = StepKind(
    name="python",
    spec=PythonSpec,
    execute=_execute,
    scalar="target",
    refuses=frozenset({"stdin"}),
    is_quick=_is_quick,
)

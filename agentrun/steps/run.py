"""The step kind `run`: a shell command.

Owns how a command becomes a process and what its end means. Refuses to know how values were put
into the command (they arrive rendered) and how processes are started and ended (process.py).
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext, StepKind


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What stands under `run`."""

    command: Annotated[str, "the command or script; its stdout is the output"]
    shell: Annotated[
        Literal["bash", "sh", "zsh"], "what runs it; bash stops at the first error, pipes included"
    ] = "bash"


async def _execute(_ctx: StepContext) -> Success | Evidence:
    raise NotImplementedError


KIND = StepKind(
    name="run",
    spec=RunSpec,
    execute=_execute,
    scalar="command",
    beside=frozenset({"shell"}),
    refuses=frozenset({"with"}),
    program_text=frozenset({"command"}),
)

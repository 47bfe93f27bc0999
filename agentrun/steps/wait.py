"""The step kind `wait`: a duration or a moment.

Owns what may be written under `wait` and what it means as a moment in time. Refuses to wait: the
runner records the moment in the journal and sleeps, holding no process, so that a resumed task
waits only for what is left.
"""

from dataclasses import dataclass
from typing import Annotated

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.kind import OF_ATTEMPTS, StepContext, StepKind


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """What stands under `wait`."""

    for_: Annotated[
        str | int | float,
        "how long (`90s`, `2h`, a number of seconds), or the moment to wait for (RFC 3339)",
    ]


async def _execute(_ctx: StepContext) -> Success | Evidence:
    raise RuntimeError("the runner waits by itself; a wait step is never executed")


KIND = StepKind(
    name="wait",
    spec=WaitSpec,
    execute=_execute,
    scalar="for_",
    refuses=OF_ATTEMPTS | {"timeout"},
)

"""The step kind `approval`: waits for a person, holding no process.

Owns what may be written under `approval`. Refuses to wait or to ask: the runner pauses the task
and records the answer.
"""

from dataclasses import dataclass
from typing import Annotated

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.kind import OF_ATTEMPTS, StepContext, StepKind


@dataclass(frozen=True, slots=True)
class ApprovalSpec:
    """What stands under `approval`."""

    message: Annotated[str, "what the person is asked"]
    options: Annotated[tuple[str, ...], "the answers to choose from"] = ("approve", "reject")
    timeout: Annotated[
        str | int | float | None, "how long to wait for an answer; without, for as long as it takes"
    ] = None
    default: Annotated[
        str | None, "the answer when nobody answered in time; without, the step fails"
    ] = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("`options` is empty: nobody could answer")


async def _execute(_ctx: StepContext) -> Success | Evidence:
    raise RuntimeError("the runner asks by itself; an approval step is never executed")


KIND = StepKind(
    name="approval",
    spec=ApprovalSpec,
    execute=_execute,
    scalar="message",
    either=frozenset({"timeout"}),
    refuses=OF_ATTEMPTS,
)

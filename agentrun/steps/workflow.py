"""The step kind `workflow`: another workflow file as one step, its steps checkpointed too.

Owns what may be written under `workflow`. Refuses to run it: the runner performs the steps of the
sub-workflow in the same task, under `step/`.
"""

from dataclasses import dataclass
from typing import Annotated

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext, StepKind


@dataclass(frozen=True, slots=True)
class WorkflowSpec:
    """What stands under `workflow`; its inputs come from `with`."""

    path: Annotated[str, "the other workflow file, found from the folder of this one"]


async def _execute(_ctx: StepContext) -> Success | Evidence:
    raise RuntimeError("the runner performs sub-workflows by itself; they are never executed")


KIND = StepKind(
    name="workflow",
    spec=WorkflowSpec,
    execute=_execute,
    scalar="path",
    refuses=frozenset({"idle_timeout", "stdin", "component", "idempotent"}),
)

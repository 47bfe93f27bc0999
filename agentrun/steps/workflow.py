"""The step kind `workflow`: another workflow file as one step, its steps checkpointed too.

Owns what may be written under `workflow`. Refuses to run it: the runner performs the steps of the
sub-workflow in the same task, under `step/`. `env` and `cwd` hold for all of its steps.
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


async def _execute(ctx: StepContext) -> Success | Evidence:
    """Hand on the outputs of the steps, which the runner has performed, so that `output` and
    `checks` judge them like any other answer.
    """
    return Success(ctx.with_)


KIND = StepKind(
    name="workflow",
    spec=WorkflowSpec,
    execute=_execute,
    scalar="path",
    refuses=frozenset({"idle_timeout", "stdin", "component", "idempotent", "remedies"}),
)

"""The step kind `python`: a function, called with `with` as keywords.

Owns how a function is found and called, in this process or in a worker that can be ended. Refuses
to know what made the step isolated.
"""

from dataclasses import dataclass
from typing import Annotated

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext, StepKind


@dataclass(frozen=True, slots=True)
class PythonSpec:
    """What stands under `python`."""

    target: Annotated[
        str, "`module:function` or `file.py:function`, found from the folder of the workflow file"
    ]


async def _execute(_ctx: StepContext) -> Success | Evidence:
    raise NotImplementedError


KIND = StepKind(
    name="python",
    spec=PythonSpec,
    execute=_execute,
    scalar="target",
    refuses=frozenset({"stdin"}),
)

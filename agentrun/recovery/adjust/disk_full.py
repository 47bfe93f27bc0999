"""No space left: temporary files move to where the step's own memory lies."""

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure
from agentrun.core.model import Step
from agentrun.core.state import StepState, TaskState

MOVED = "temporary_files_moved"


def move_temporary_files(
    step: Step, state: StepState, _failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Point `TMPDIR` at the state folder, once: `/tmp` is often a small disk of its own."""
    done = any(adjustment.kind == MOVED for adjustment in state.adjustments)
    if done or step.kind not in {"run", "agent", "python"} or "TMPDIR" in step.env:
        return None
    reason = "temporary files go to the step's state folder, which may lie on another disk"
    return Adjustment(MOVED, {"tmp_in_state": True}, reason)

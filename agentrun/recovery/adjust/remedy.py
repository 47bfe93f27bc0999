"""A remedy that the workflow declares for such failures, run before the next attempt."""

import re

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Remedy, Step
from agentrun.core.state import StepState, TaskState

REMEDY = "remedy_run"
SHOWN_CHARS = 100


def run_remedy(
    step: Step, state: StepState, failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Return the first remedy that fits and was not run for this step yet."""
    done = {adjustment.change.get("run") for adjustment in state.adjustments}
    for remedy in step.remedies:
        if remedy.run not in done and _fits(remedy, failure):
            shown = " ".join(remedy.run.split())[:SHOWN_CHARS]
            return Adjustment(REMEDY, {"run": remedy.run}, f"`{shown}` is run before it")
    return None


def _fits(remedy: Remedy, failure: Failure) -> bool:
    """Return whether it is for this. One that names neither kind nor text is for dependencies."""
    kinds = remedy.kind or (() if remedy.text else (Kind.MISSING_DEPENDENCY,))
    if kinds and failure.kind not in kinds:
        return False
    said = f"{failure.message}\n{failure.evidence}\n{failure.tail}"
    return remedy.text is None or re.search(remedy.text, said) is not None

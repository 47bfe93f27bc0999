"""The next model of `agent.model`, where that is a list."""

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure
from agentrun.core.model import Step
from agentrun.core.state import StepState, TaskState


def take_next_model(
    step: Step, state: StepState, _failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Return the change to the model after the one in use, or None when that was the last."""
    models = step.spec.get("model") if step.kind == "agent" else None
    if not isinstance(models, list):
        return None
    tried = sum("model" in adjustment.change for adjustment in state.adjustments)
    if tried + 1 >= len(models):
        return None
    model, before = models[tried + 1], models[tried]
    return Adjustment("next_model", {"model": model}, f"model {model} instead of {before}")

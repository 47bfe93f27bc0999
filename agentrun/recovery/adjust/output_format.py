"""An answer that does not fit: what was wrong with it goes back to who gave it."""

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure
from agentrun.core.model import Step
from agentrun.core.state import StepState, TaskState

COMPLAINT_CHARS = 2000
"""A longer complaint is cut: the first mistakes are the ones to mend."""

FED_BACK = "validation_fed_back"


def feed_error_back(
    step: Step, _state: StepState, failure: Failure, _task: TaskState
) -> Adjustment | None:
    """Tell an agent in its prompt and a command in its `AGENTRUN_LAST_ERROR` file. A request that
    only reads is sent again past all caches. A function would only do the same again.
    """
    complaint = failure.message[:COMPLAINT_CHARS]
    match step.kind:
        case "agent":
            change = {"prompt_addition": _asking_again(complaint)}
            return Adjustment(FED_BACK, change, "the agent is told what did not fit")
        case "run":
            reason = "the command finds what did not fit in AGENTRUN_LAST_ERROR"
            return Adjustment(FED_BACK, {"last_error": complaint}, reason)
        case "http" if step.spec.get("method", "GET") in {"GET", "HEAD"}:
            headers = {"Cache-Control": "no-cache"}
            reason = "the answer is asked for past all caches"
            return Adjustment("cache_bypassed", {"spec": {"headers": headers}}, reason)
        case _:
            return None


def _asking_again(complaint: str) -> str:
    return (
        "Your previous answer could not be used. What was wrong with it:\n"
        f"{complaint}\n"
        "Do the task again and give the complete answer in exactly the form asked for."
    )

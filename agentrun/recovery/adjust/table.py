"""Which strategy answers which kind of failure. Imported when the first attempt has failed."""

from collections.abc import Callable

from agentrun.core.events import Adjustment
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Step
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.adjust.context_overflow import cut_input, take_larger_model
from agentrun.recovery.adjust.disk_full import move_temporary_files
from agentrun.recovery.adjust.input_format import clean_input
from agentrun.recovery.adjust.output_format import feed_error_back
from agentrun.recovery.adjust.parallel import lower_concurrency
from agentrun.recovery.adjust.remedy import run_remedy
from agentrun.recovery.adjust.timeout import allow_more_time

Strategy = Callable[[Step, StepState, Failure, TaskState], Adjustment | None]

STRATEGIES: dict[Kind, tuple[Strategy, ...]] = {
    Kind.OUTPUT_FORMAT: (feed_error_back,),
    Kind.INPUT_FORMAT: (clean_input,),
    Kind.CONTEXT_OVERFLOW: (take_larger_model, cut_input),
    Kind.DISK_FULL: (move_temporary_files,),
    Kind.RESOURCE_CONFLICT: (lower_concurrency,),
    Kind.OUT_OF_MEMORY: (lower_concurrency,),
    Kind.LOCK: (lower_concurrency,),
    Kind.TIMEOUT: (allow_more_time,),
}
"""Per kind, in order: the first strategy that has an answer gives it. A declared remedy
(remedy.py) comes before all of them and holds for every kind it names.
"""


def propose(step: Step, state: StepState, failure: Failure, task: TaskState) -> Adjustment | None:
    """Return the change that fits the failure and was not made before, or None."""
    for strategy in (run_remedy, *STRATEGIES.get(failure.kind, ())):
        adjustment = strategy(step, state, failure, task)
        if adjustment is not None:
            return adjustment
    return None

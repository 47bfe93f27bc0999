"""Adjustments: what is changed about a step so that its next attempt is not the last one again.

One file per strategy, each a pure function `(step, state, failure, task) -> Adjustment | None`;
`propose` asks those that the table names for the failure's kind. An `Adjustment` is an event's
data: visible in the journal, in force for all later attempts of the step until a fallback is taken.

The keys of `Adjustment.change` are this closed set; `apply.adjusted` gives them their meaning:

| key               | value        | meaning for the next attempts                                |
|-------------------|--------------|--------------------------------------------------------------|
| `prompt_addition` | text         | stands below the agent's prompt                              |
| `last_error`      | text         | the complaint the command finds in `AGENTRUN_LAST_ERROR`     |
| `timeout_s`       | seconds      | replaces `timeout`                                           |
| `idle_timeout_s`  | seconds      | replaces `idle_timeout`                                      |
| `max_parallel`    | number       | at most so many items of the `for_each` at once              |
| `input_share`     | 0 < x < 1    | prompt and `stdin` are cut to this share of their length     |
| `clean_input`     | true         | byte-order marks, control characters, broken UTF-8 go        |
| `model`           | name         | the agent's model                                            |
| `run`             | command      | a declared remedy, run before the attempt                    |
| `tmp_in_state`    | true         | `TMPDIR` is a folder in the step's own state folder          |
| `env`             | name: text   | further environment                                          |
| `with`            | name: value  | other parameters in `with`                                  |
| `edit`            | path old new | a text replaced in a file, undone when the attempt fails    |
| `spec`            | key: value   | further keys of the step kind's own; a map is merged one deep |
"""

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

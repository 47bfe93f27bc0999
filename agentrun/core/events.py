"""The events of a task: everything that can happen to it, in the past tense.

Owns the closed union `Event`. An event carries as data whatever was drawn or decided when it
happened (times, jittered waits, rendered items, chosen fixes), so that replaying it needs no clock,
no randomness and no expression. `step` is an address: `label`, `label[3]` (an item), `sub/step`
(a step of a sub-workflow). Times are seconds since the epoch, durations seconds.

Refuses to know how an event looks on disk (core/codec.py, store/journal.py).
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from agentrun.core.failure import Failure
from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.core.value import NOTHING, Value

PauseReason = Literal["approval", "interrupted", "escalation", "temporary", "quota", "budget"]


class Holder(Struct, frozen=True):
    """The process that owns the task from this event on. `started` is the kernel's start time of
    `pid`; with `boot_id` it tells a live process from a reused pid. `epoch` counts the owners.
    """

    epoch: int
    pid: int
    started: int
    host: str
    boot_id: str


# --- the task -----------------------------------------------------------------------------------


class TaskStarted(Struct, frozen=True, tag_field="type", tag="task_started", omit_defaults=True):
    """The first event. `workflow_path` is absolute; `sources` maps each sub-workflow's path to the
    sha256 of its pinned text (a blob).
    """

    workflow: str
    workflow_sha256: str
    workflow_path: str
    cwd: str
    inputs: Value
    holder: Holder
    max_parallel: int
    version: str
    steps_total: int
    sources: Mapping[str, str] = field(default_factory=dict)
    forked_from: str | None = None
    forked_at: int | None = None


class TaskResumed(Struct, frozen=True, tag_field="type", tag="task_resumed", omit_defaults=True):
    """A process took the task over and goes on."""

    holder: Holder
    max_parallel: int


class InputsChanged(
    Struct, frozen=True, tag_field="type", tag="inputs_changed", omit_defaults=True
):
    """A person gave other inputs (`resume --set`). `names` are those that changed."""

    inputs: Value
    names: tuple[str, ...]


class WorkflowChanged(
    Struct, frozen=True, tag_field="type", tag="workflow_changed", omit_defaults=True
):
    """A person bound the task to another definition (`resume --workflow`); its text is a blob."""

    workflow: str
    workflow_sha256: str
    workflow_path: str
    steps_total: int
    sources: Mapping[str, str] = field(default_factory=dict)


class StepsReset(Struct, frozen=True, tag_field="type", tag="steps_reset", omit_defaults=True):
    """These steps forget what they did and run again, with new idempotency keys. `reopened` are
    sub-workflows that keep what their steps did and are concluded again.
    """

    steps: tuple[str, ...]
    reason: str
    reopened: tuple[str, ...] = ()


class AttemptsGranted(
    Struct, frozen=True, tag_field="type", tag="attempts_granted", omit_defaults=True
):
    """A resume gave these failed steps a fresh set of attempts; what they remember stays."""

    steps: tuple[str, ...]


class TaskPaused(Struct, frozen=True, tag_field="type", tag="task_paused", omit_defaults=True):
    """The task waits: for a person (exit 3) or for something temporary (exit 75)."""

    reason: PauseReason
    exit_code: int
    message: str
    steps: tuple[str, ...] = ()
    resume_at: float | None = None


class TaskSucceeded(
    Struct, frozen=True, tag_field="type", tag="task_succeeded", omit_defaults=True
):
    """Every step is done; `outputs` is the result."""

    outputs: Value


class TaskFailed(Struct, frozen=True, tag_field="type", tag="task_failed", omit_defaults=True):
    """Nothing more can run and a step has failed. `step` is the one that is told about."""

    failure: Failure
    step: str | None = None


class TaskCancelled(
    Struct, frozen=True, tag_field="type", tag="task_cancelled", omit_defaults=True
):
    """A person cancelled the task."""

    reason: str = ""


class TaskInterrupted(
    Struct, frozen=True, tag_field="type", tag="task_interrupted", omit_defaults=True
):
    """A signal asked the process to stop; the checkpoint is complete."""

    signal: str


class Warned(Struct, frozen=True, tag_field="type", tag="warned", omit_defaults=True):
    """Something a person should know that stops nothing."""

    message: str
    step: str | None = None


# --- a step's attempts --------------------------------------------------------------------------


class StepStarted(Struct, frozen=True, tag_field="type", tag="step_started", omit_defaults=True):
    """An attempt begins. `alternative` 0 is the step itself, n its n-th fallback."""

    step: str
    attempt: int
    round: int = 1
    alternative: int = 0


class ProcessNoted(Struct, frozen=True, tag_field="type", tag="process_noted", omit_defaults=True):
    """The attempt runs in this process group."""

    step: str
    attempt: int
    pid: int
    started: int


class SessionNoted(Struct, frozen=True, tag_field="type", tag="session_noted", omit_defaults=True):
    """The attempt's agent named its session."""

    step: str
    attempt: int
    session: str


class TurnNoted(Struct, frozen=True, tag_field="type", tag="turn_noted", omit_defaults=True):
    """A model answered a turn. `messages` is what the conversation gained: with `start` 0 it is the
    whole of it, else it follows the first `start` messages, which stand in events before.
    """

    step: str
    attempt: int
    messages: Value
    usage: Usage | None = None
    start: int = 0


class StepSucceeded(
    Struct, frozen=True, tag_field="type", tag="step_succeeded", omit_defaults=True
):
    """The step, or the item, is done: it is never run again by itself. For a step with `until`
    this is the last round. `repairs` says what was mended in the answer on the way. `remembered`:
    the conversation with the model is kept, as another step may go on with it.
    """

    step: str
    attempt: int
    output: Value = NOTHING
    duration_s: float = 0.0
    exit_code: int | None = None
    usage: Usage | None = None
    session: str | None = None
    extra: Value | None = None
    repairs: tuple[str, ...] = ()
    remembered: bool = False


class StepFailed(Struct, frozen=True, tag_field="type", tag="step_failed", omit_defaults=True):
    """An attempt failed. What follows from it is an event of its own."""

    step: str
    attempt: int
    failure: Failure
    duration_s: float = 0.0
    usage: Usage | None = None
    session: str | None = None


class StepInterrupted(
    Struct, frozen=True, tag_field="type", tag="step_interrupted", omit_defaults=True
):
    """An attempt was cut off by agentrun's own end, not by a failure: numbered, not charged."""

    step: str
    attempt: int
    reason: str


class RoundFinished(
    Struct, frozen=True, tag_field="type", tag="round_finished", omit_defaults=True
):
    """A round of `until` ended without the condition holding; the next one begins."""

    step: str
    round: int
    output: Value
    attempt: int
    exit_code: int | None = None
    usage: Usage | None = None
    session: str | None = None
    duration_s: float = 0.0


# --- what follows from a failure ----------------------------------------------------------------


class Adjustment(Struct, frozen=True, omit_defaults=True):
    """A visible change of the step for its next attempt. `kind` names it, `change` is what it
    changes (`{"timeout_s": 120}`), `reason` is for people.
    """

    kind: str
    change: Mapping[str, Json]
    reason: str = ""


class RetryScheduled(
    Struct, frozen=True, tag_field="type", tag="retry_scheduled", omit_defaults=True
):
    """The step is tried again at `at`. `attempt` is the number of the next attempt, `of` the most
    that there will be in this set.
    """

    step: str
    attempt: int
    of: int
    at: float
    delay_s: float
    reason: str
    adjustments: tuple[Adjustment, ...] = ()


class FallbackTaken(
    Struct, frozen=True, tag_field="type", tag="fallback_taken", omit_defaults=True
):
    """The way before is used up; the step goes on with its `alternative`-th fallback."""

    step: str
    alternative: int
    reason: str


class StepGaveUp(Struct, frozen=True, tag_field="type", tag="step_gave_up", omit_defaults=True):
    """The step ends failed. `continued` True: the task goes on all the same."""

    step: str
    continued: bool = False
    reason: str = ""


class StepParked(Struct, frozen=True, tag_field="type", tag="step_parked", omit_defaults=True):
    """The step can't go on now: something temporary is in the way (exit 75), until `until` if that
    is known. A resume grants it a fresh set of attempts.
    """

    step: str
    reason: str
    until: float | None = None


class PersonAsked(Struct, frozen=True, tag_field="type", tag="person_asked", omit_defaults=True):
    """Only a person can say how this step goes on (exit 3)."""

    step: str
    question: str
    reason: PauseReason


class TaskHalted(Struct, frozen=True, tag_field="type", tag="task_halted", omit_defaults=True):
    """Nothing new starts any more: a failure of kind `security`, or a budget that is used up."""

    reason: str
    step: str | None = None


# --- order and structure ------------------------------------------------------------------------


class StepSkipped(Struct, frozen=True, tag_field="type", tag="step_skipped", omit_defaults=True):
    """The step does not run and counts as done; its output is null."""

    step: str
    reason: str


class StepBlocked(Struct, frozen=True, tag_field="type", tag="step_blocked", omit_defaults=True):
    """The step can't run because the step `by`, which it needs, failed or is itself blocked."""

    step: str
    by: str


class StepExpanded(Struct, frozen=True, tag_field="type", tag="step_expanded", omit_defaults=True):
    """A `for_each` was resolved to `count` items."""

    step: str
    items: Value
    count: int


class ScopeOpened(Struct, frozen=True, tag_field="type", tag="scope_opened", omit_defaults=True):
    """A sub-workflow begins; its steps are addressed below `step`. This is an attempt of `step`.
    `fresh` False keeps what its steps have done already (a retry), True forgets it (a new round).
    At `until`, if any, it is out of time; while no process works on the task, that moves on.
    """

    step: str
    path: str
    inputs: Value
    fresh: bool = True
    until: float | None = None


class WaitStarted(Struct, frozen=True, tag_field="type", tag="wait_started", omit_defaults=True):
    """A `wait` step holds until `until`."""

    step: str
    until: float


class ApprovalAsked(
    Struct, frozen=True, tag_field="type", tag="approval_asked", omit_defaults=True
):
    """An `approval` step waits for an answer out of `options`. `digest` is the hash of what is
    approved; an answer to anything else does not count. At `until`, if any, `default` is taken.
    """

    step: str
    message: str
    options: tuple[str, ...]
    digest: str
    until: float | None = None
    default: str | None = None


class StepAnswered(Struct, frozen=True, tag_field="type", tag="step_answered", omit_defaults=True):
    """A person answered. For an approval `answer` is its output."""

    step: str
    answer: Json
    by: str


# --- the Debugger -------------------------------------------------------------------------------


class IncidentOpened(
    Struct, frozen=True, tag_field="type", tag="incident_opened", omit_defaults=True
):
    """Retries did not cure this failure; the Debugger takes it."""

    step: str
    fingerprint: str


class FixApplied(Struct, frozen=True, tag_field="type", tag="fix_applied", omit_defaults=True):
    """A fix was chosen and takes effect with the step's next attempt, which verifies it."""

    step: str
    fingerprint: str
    fix: Mapping[str, Json]
    analyst: str
    cause: str
    confidence: float
    adjustments: tuple[Adjustment, ...] = ()
    usage: Usage | None = None


class FixJudged(Struct, frozen=True, tag_field="type", tag="fix_judged", omit_defaults=True):
    """The fix was verified (kept) or did not work (undone)."""

    step: str
    fingerprint: str
    fix: Mapping[str, Json]
    worked: bool


class Diagnosed(Struct, frozen=True, tag_field="type", tag="diagnosed", omit_defaults=True):
    """The Debugger's diagnosis, with the fixes that the policy did not allow it to apply."""

    step: str
    fingerprint: str
    cause: str
    analyst: str
    proposals: tuple[Mapping[str, Json], ...] = ()
    usage: Usage | None = None


TaskEvent = (
    TaskStarted
    | TaskResumed
    | InputsChanged
    | WorkflowChanged
    | StepsReset
    | AttemptsGranted
    | TaskPaused
    | TaskSucceeded
    | TaskFailed
    | TaskCancelled
    | TaskInterrupted
    | TaskHalted
    | Warned
)
StepEvent = (
    StepStarted
    | ProcessNoted
    | SessionNoted
    | TurnNoted
    | StepSucceeded
    | StepFailed
    | StepInterrupted
    | RoundFinished
    | RetryScheduled
    | FallbackTaken
    | StepGaveUp
    | StepParked
    | PersonAsked
    | StepSkipped
    | StepBlocked
    | StepExpanded
    | ScopeOpened
    | WaitStarted
    | ApprovalAsked
    | StepAnswered
    | IncidentOpened
    | FixApplied
    | FixJudged
    | Diagnosed
)
Event = TaskEvent | StepEvent


class Recorded(Struct, frozen=True, gc=False):
    """An event with its place in the journal: `seq` counts from 1, `time` is when it happened."""

    seq: int
    time: float
    event: Event

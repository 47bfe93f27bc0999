"""The state of a task as a fold over its events. Every transition is in this file.

Owns `TaskState`, `apply` (the only code that changes it and its steps) and `replay`. The state
holds facts alone: what follows from them for the order of steps is derived in core/schedule.py.
It is plain data, so that a snapshot of it stands for the events before it:
`replay(a + b) == fold(replay(a), b)`.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, assert_never, cast, get_args

from msgspec import Struct, field

from agentrun.core import events as ev
from agentrun.core.address import ancestors, item, parent_loop, under
from agentrun.core.failure import Failure, Kind
from agentrun.core.outcome import Usage
from agentrun.core.step_state import OUT_OF_ROUNDS, StepState, StepStatus, Waiting
from agentrun.core.value import Items, Value

__all__ = [
    "OUT_OF_ROUNDS",
    "Ending",
    "IllegalTransition",
    "StepState",
    "StepStatus",
    "TaskState",
    "TaskStatus",
    "apply",
    "replay",
]
TaskStatus = Literal["running", "paused", "succeeded", "failed", "cancelled", "interrupted"]


class IllegalTransition(Exception):
    """An event that can't follow from the state: the journal was not written by this program."""


class Ending(Struct, omit_defaults=True):
    """How the task stands when no process works on it."""

    exit_code: int
    message: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()
    resume_at: float | None = None
    failure: Failure | None = None
    step: str | None = None
    outputs: Value | None = None


class TaskState(Struct, omit_defaults=True):
    """What is known of a task after `seq` events. `active_s` is the time in which a process worked
    on it; `usd_unknown` says that some usage had no known price.
    """

    task_id: str
    status: TaskStatus = "running"
    seq: int = 0
    workflow: str = ""
    workflow_sha256: str = ""
    workflow_path: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    steps_total: int = 0
    cwd: str = ""
    inputs: Value | None = None
    holder: ev.Holder | None = None
    max_parallel: int = 1
    version: str = ""
    forked_from: str | None = None
    forked_at: int | None = None
    started_at: float = 0.0
    updated_at: float = 0.0
    active_s: float = 0.0
    resumes: int = 0
    retries: int = 0
    usd: float = 0.0
    usd_unknown: bool = False
    tokens: int = 0
    halted: str | None = None
    ending: Ending | None = None
    warnings: tuple[str, ...] = ()
    steps: dict[str, StepState] = field(default_factory=dict)

    def step(self, key: str) -> StepState:
        """Return the state of a step; a fresh one when nothing is recorded of it yet."""
        return self.steps.get(key) or StepState()


MAX_WARNINGS = 100
_OF_THE_TASK = frozenset(get_args(ev.TaskEvent))


def replay(task_id: str, records: Iterable[ev.Recorded]) -> TaskState:
    """Fold all events of a task into its state."""
    state = TaskState(task_id)
    for recorded in records:
        apply(state, recorded)
    return state


def apply(state: TaskState, recorded: ev.Recorded) -> None:
    """Change `state` by one event. Raises IllegalTransition when the event can't follow."""
    if recorded.seq != state.seq + 1:
        raise IllegalTransition(f"event {recorded.seq} follows event {state.seq}")
    event, time = recorded.event, recorded.time
    state.seq = recorded.seq
    since_last_s = max(0.0, time - state.updated_at)
    if state.status != "running" or isinstance(event, ev.TaskResumed):
        _move_deadlines(state, since_last_s)  # no process worked on it meanwhile
    elif not isinstance(event, ev.TaskStarted):
        state.active_s += since_last_s
    state.updated_at = time
    if type(event) in _OF_THE_TASK:
        _apply_to_task(state, cast("ev.TaskEvent", event), time)
        return
    event = cast("ev.StepEvent", event)
    step = state.steps.get(event.step)
    if step is None:
        step = state.steps[event.step] = StepState()
    if not state.workflow and not isinstance(event, ev.StepSkipped | ev.StepStarted):
        raise IllegalTransition(f"{type(event).__name__} before the task has started")
    _apply_to_step(state, step, event, time)


def _apply_to_task(state: TaskState, event: ev.TaskEvent, time: float) -> None:
    match event:
        case ev.TaskStarted():
            _start(state, event, time)
        case ev.TaskResumed():
            state.status, state.ending, state.halted = "running", None, None
            state.holder, state.max_parallel = event.holder, event.max_parallel
            state.resumes += 1
        case ev.InputsChanged():
            state.inputs = event.inputs
        case ev.WorkflowChanged():
            state.workflow = event.workflow
            state.workflow_sha256, state.workflow_path = event.workflow_sha256, event.workflow_path
            state.sources, state.steps_total = dict(event.sources), event.steps_total
        case ev.StepsReset():
            _unblock(state)
            for key in event.steps:
                _reset(state, key)
            for key in event.reopened:
                for holder in (key, *ancestors(key)):
                    if holder in state.steps:
                        _reopen(state.steps[holder])
        case ev.AttemptsGranted():
            _unblock(state)
            for key in event.steps:
                _grant(state, key)
        case ev.TaskPaused():
            state.status = "paused"
            state.ending = Ending(
                event.exit_code, event.message, event.reason, event.steps, event.resume_at
            )
        case ev.TaskSucceeded():
            state.status, state.ending = "succeeded", Ending(0, outputs=event.outputs)
        case ev.TaskFailed():
            state.status = "failed"
            state.ending = Ending(1, failure=event.failure, step=event.step)
        case ev.TaskCancelled():
            state.status, state.ending = "cancelled", Ending(1, event.reason, "cancelled")
            for step in state.steps.values():
                _cancel(step)
        case ev.TaskInterrupted():
            code = 130 if event.signal == "SIGINT" else 143
            state.status, state.ending = "interrupted", Ending(code, event.signal, "interrupted")
        case ev.TaskHalted():
            state.halted = event.reason
        case ev.Warned():
            state.warnings = (*state.warnings, event.message)[-MAX_WARNINGS:]
        case _:
            assert_never(event)


def _start(state: TaskState, event: ev.TaskStarted, time: float) -> None:
    state.workflow, state.workflow_sha256 = event.workflow, event.workflow_sha256
    state.workflow_path, state.sources = event.workflow_path, dict(event.sources)
    state.steps_total, state.cwd, state.inputs = event.steps_total, event.cwd, event.inputs
    state.holder, state.max_parallel = event.holder, event.max_parallel
    state.version, state.started_at = event.version, time
    state.forked_from, state.forked_at = event.forked_from, event.forked_at


def _apply_to_step(state: TaskState, step: StepState, event: ev.StepEvent, time: float) -> None:
    match event:
        case ev.StepStarted():
            _start_attempt(step, event, time)
        case ev.StepSucceeded():
            _end_attempt(state, step, event.duration_s, event.usage, event.session, time)
            step.status, step.output = "succeeded", event.output
            step.exit_code, step.extra = event.exit_code, event.extra
            step.interruptions, step.failure = 0, None
            step.messages = step.messages if event.remembered else ()
        case ev.StepFailed():
            _end_attempt(state, step, event.duration_s, event.usage, event.session, time)
            step.status, step.undecided = "failed", True
            step.failure, step.exit_code = event.failure, event.failure.exit_code
            step.failures, step.interruptions = step.failures + 1, 0
            if step.scope is not None and event.failure.kind is Kind.TIMEOUT:
                _cancel_below(state, event.step)
        case ev.StepInterrupted():
            step.status, step.waiting, step.process = "interrupted", None, None
            step.charged, step.adjusted = max(0, step.charged - 1), step.adjusted_before
            step.interruptions += 1
        case ev.RoundFinished():
            _end_attempt(state, step, event.duration_s, event.usage, event.session, time)
            step.status, step.round = "pending", event.round + 1
            step.output, step.exit_code = event.output, event.exit_code
            step.charged, step.set_started_at, step.failure = 0, None, None
            step.messages, step.interruptions = (), 0
            _close_scope(state, step, event.step)
        case ev.ProcessNoted():
            step.process = event
        case ev.SessionNoted():
            step.session = event.session
        case ev.TurnNoted():
            step.messages = (*(step.messages if event.start else ()), event.messages)
            _use(state, step, event.usage)
        case _:
            _apply_consequence(step, event, state, time)


def _apply_consequence(
    step: StepState,
    event: (
        ev.RetryScheduled
        | ev.FallbackTaken
        | ev.StepGaveUp
        | ev.StepParked
        | ev.PersonAsked
        | ev.StepSkipped
        | ev.StepBlocked
        | ev.StepExpanded
        | ev.ScopeOpened
        | ev.WaitStarted
        | ev.ApprovalAsked
        | ev.StepAnswered
        | ev.IncidentOpened
        | ev.FixApplied
        | ev.FixJudged
        | ev.Diagnosed
    ),
    state: TaskState,
    time: float,
) -> None:
    match event:
        case ev.RetryScheduled():
            if step.scope is not None and _out_of_rounds(step):
                step.round += 1
                _close_scope(state, step, event.step)
            _wait(step, "retry", event.at)
            step.adjustments += event.adjustments
            _lower_concurrency(state, event.step, event.adjustments)
            state.retries += 1
        case ev.FallbackTaken():
            _wait(step, "retry", time)
            step.alternative, step.charged, step.set_started_at = event.alternative, 0, None
            step.adjustments, step.session, step.messages = (), None, ()
            step.adjusted = step.adjusted_before = 0
            step.fix = None if step.fix_begun else step.fix
            _close_scope(state, step, event.step)
        case ev.StepGaveUp():
            step.status, step.undecided, step.waiting = "failed", False, None
            step.gave_up, step.continued, step.ended_at = True, event.continued, time
            if event.continued and step.items is not None:
                step.output = Items(step.count)
        case ev.StepParked():
            _wait(step, "parked", event.until)
            if step.failure and event.until is None:
                step.status = "failed"
            step.question = event.reason
        case ev.PersonAsked():
            _wait(step, "person", None)
            step.question = event.question
        case ev.StepSkipped():
            step.status, step.undecided, step.gave_up = "skipped", False, False
            step.waiting, step.output, step.ended_at = None, None, time
            step.fix = None
            if step.scope is not None or step.items is not None:
                _cancel_below(state, event.step)
        case ev.StepBlocked():
            step.status, step.ended_at = "blocked", time
        case ev.StepExpanded():
            step.status, step.items, step.count = "running", event.items, event.count
            step.started_at = step.started_at or time
        case ev.ScopeOpened():
            _open_scope(state, step, event, time)
        case ev.WaitStarted():
            _wait(step, "wait", event.until)
            step.started_at = step.started_at or time
        case ev.ApprovalAsked():
            _wait(step, "approval", event.until)
            step.approval, step.answer = event, None
            step.started_at = step.started_at or time
        case ev.StepAnswered():
            step.answer, step.waiting, step.status = event.answer, None, "pending"
            step.undecided = False
        case ev.IncidentOpened():
            step.undecided = True
        case ev.FixApplied():
            step.fix, step.fix_begun = event, False
            step.fixes = (*step.fixes, f"{event.fingerprint}:{event.fix.get('id')}")
            step.adjustments += event.adjustments
            _lower_concurrency(state, event.step, event.adjustments)
            _use(state, step, event.usage)
        case ev.FixJudged():
            if step.fix and not event.worked:
                _take_back(step, step.fix.adjustments)
                _raise_concurrency(state, event.step, step.fix.adjustments)
            step.fix = None
        case ev.Diagnosed():
            step.diagnosis = event
            _use(state, step, event.usage)
        case _:
            assert_never(event)


def _start_attempt(step: StepState, event: ev.StepStarted, time: float) -> None:
    if step.status in {"succeeded", "skipped"}:
        raise IllegalTransition(f"{event.step} is {step.status} and was started again")
    step.status, step.waiting, step.until, step.answer = "running", None, None, None
    step.attempts, step.charged = event.attempt, step.charged + 1
    step.round, step.alternative = event.round, event.alternative
    step.adjusted_before, step.adjusted = step.adjusted, len(step.adjustments)
    step.fix_begun = step.fix is not None
    step.undecided = step.gave_up = step.continued = False
    step.started_at = step.started_at or time
    step.attempt_started_at, step.ended_at = time, None
    step.set_started_at = step.set_started_at or time


def _open_scope(state: TaskState, step: StepState, event: ev.ScopeOpened, time: float) -> None:
    if event.fresh and step.scope is not None:
        _forget_below(state, event.step)
    step.scope, step.status, step.waiting, step.until = event, "running", None, event.until
    step.attempts, step.charged = step.attempts + 1, step.charged + 1
    step.fix_begun = step.fix is not None
    step.undecided = step.gave_up = step.continued = False
    step.started_at = step.started_at or time
    step.attempt_started_at, step.ended_at = time, None
    step.set_started_at = step.set_started_at or time


def _close_scope(state: TaskState, step: StepState, key: str) -> None:
    """Forget what a sub-workflow did: the step goes on with another round, or another way."""
    if step.scope is not None:
        _forget_below(state, key)
        step.scope = None


def _cancel_below(state: TaskState, key: str) -> None:
    """Let nothing below a step be awaited any more: it was ended as a whole."""
    for other, step in state.steps.items():
        if under(other, key) and not step.settled:
            _cancel(step)
            step.status, step.waiting, step.until, step.undecided = "cancelled", None, None, False


def _move_deadlines(state: TaskState, by_s: float) -> None:
    """Let the time of a sub-workflow stand still while no process works on the task."""
    for step in state.steps.values():
        if step.scope is not None and step.status == "running" and step.until is not None:
            step.until += by_s


def _end_attempt(
    state: TaskState,
    step: StepState,
    duration_s: float,
    usage: Usage | None,
    session: str | None,
    time: float,
) -> None:
    step.busy_s += duration_s
    step.ended_at, step.process, step.waiting = time, None, None
    step.session = session or step.session
    _use(state, step, usage)


def _use(state: TaskState, step: StepState, usage: Usage | None) -> None:
    if usage is None:
        return
    step.usage = usage if step.usage is None else step.usage.plus(usage)
    state.tokens += usage.tokens
    state.usd_unknown = state.usd_unknown or usage.unpriced
    state.usd += usage.usd or 0.0


def _wait(step: StepState, waiting: Waiting, until: float | None) -> None:
    step.status, step.waiting, step.until = "waiting", waiting, until
    step.undecided = step.gave_up = False


def _reset(state: TaskState, key: str) -> None:
    """Forget what a step did. What holds it (a `for_each`, a sub-workflow) is open again."""
    old = state.step(key)
    _forget_below(state, key)
    state.steps[key] = _fresh(old, old.generation + 1)
    for holder in ancestors(key):
        if holder in state.steps:
            _reopen(state.steps[holder])


def _grant(state: TaskState, key: str) -> None:
    """Give a step that ended failed, was parked or interrupted a fresh set of attempts."""
    step = state.steps.get(key)
    if step is None or step.status in {"succeeded", "skipped"}:
        return
    step.charged, step.set_started_at = 0, None
    if step.status == "cancelled" and step.waiting in {"wait", "approval", "person"}:
        step.status = "waiting"
        return
    if step.gave_up and _out_of_rounds(step):
        step.rounds_before, step.round = step.round, step.round + 1
        _close_scope(state, step, key)
    cut_off = step.status == "cancelled" and step.interruptions > 0
    step.alternative, step.interruptions = 0, 0
    _reopen(step)
    if cut_off:
        step.status = "interrupted"


def _out_of_rounds(step: StepState) -> bool:
    return step.failure is not None and step.failure.rule == OUT_OF_ROUNDS


def _cancel(step: StepState) -> None:
    """Cancel a step that is not over. What it waits for, and that it was cut off, is kept: a
    resume takes it up there (and asks a person where it must not be repeated by itself).
    """
    if step.status == "running" and step.items is None and step.scope is None:
        step.charged, step.interruptions = max(0, step.charged - 1), step.interruptions + 1
    if step.status in {"running", "waiting", "interrupted"}:
        step.status = "cancelled"


def _unblock(state: TaskState) -> None:
    for key in [key for key, step in state.steps.items() if step.status == "blocked"]:
        state.steps[key] = StepState(generation=state.steps[key].generation)


def _reopen(step: StepState) -> None:
    step.status = "pending" if step.items is None else "running"
    step.waiting, step.until, step.question = None, None, ""
    step.undecided = step.gave_up = step.continued = False
    step.output, step.ended_at = None, None


def _forget_below(state: TaskState, key: str) -> None:
    """Forget what is inside of a step, but for what it used: the step itself has used that."""
    holder = state.steps.get(key)
    for other in [name for name in state.steps if under(name, key)]:
        step = state.steps[other]
        if holder is not None and step.usage is not None:
            holder.usage = step.usage if holder.usage is None else holder.usage.plus(step.usage)
            step.usage = None
        if step.fixes:
            state.steps[other] = _fresh(step, 0)
        else:
            del state.steps[other]


def _fresh(old: StepState, generation: int) -> StepState:
    """Return the state of a step that runs anew: the fixes that were tried are not forgotten, and
    one that made it run anew is still to be verified; what was used stays used.
    """
    fix = None if old.fix is None or old.fix.adjustments else old.fix
    return StepState(generation=generation, fix=fix, fixes=old.fixes, usage=old.usage)


def _lower_concurrency(state: TaskState, key: str, changes: Sequence[ev.Adjustment]) -> None:
    """Let an item that asks for less parallelism have it for its whole `for_each`."""
    loop = state.steps.get(parent_loop(key) or "") if changes else None
    for change in changes:
        wanted = change.change.get("max_parallel")
        if loop is not None and isinstance(wanted, int):
            loop.at_once = wanted if loop.at_once is None else min(loop.at_once, wanted)


def _raise_concurrency(state: TaskState, key: str, changes: Sequence[ev.Adjustment]) -> None:
    """Take back what one item has asked for: as few at once as the others still ask for."""
    loop_key = parent_loop(key)
    loop = state.steps.get(loop_key or "")
    if loop_key is None or loop is None or not any("max_parallel" in c.change for c in changes):
        return
    loop.at_once = None
    for index in range(loop.count):
        other = item(loop_key, index)
        _lower_concurrency(state, other, state.step(other).adjustments)


def _take_back(step: StepState, changes: Sequence[ev.Adjustment]) -> None:
    """Undo just these adjustments, wherever they stand by now."""
    left = list(step.adjustments)
    for change in changes:
        if change in left:
            left.reverse()
            left.remove(change)
            left.reverse()
    step.adjustments = tuple(left)
    step.adjusted = min(step.adjusted, len(left))
    step.adjusted_before = min(step.adjusted_before, len(left))

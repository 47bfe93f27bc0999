"""What `debug` knows of a failure: the attempts, what they printed, how things stood before.

Gathers facts from the records and the logs; what it means is the Debugger's, whose diagnosis and
proposed fixes are facts of the journal too. Shown by debug_view.py, written by debug_report.py.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from agentrun.core import address, events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import StepState, TaskState, replay
from agentrun.report.ending import told_step
from agentrun.report.since_success import SinceSuccess

MAX_INCIDENTS = 5
MAX_ATTEMPTS = 10


class Log(Struct, frozen=True):
    """The end of what an attempt printed."""

    path: str
    size_bytes: int
    tail: str


class Seen(Struct, frozen=True):
    """One attempt: how it ended, what was changed for it, what it printed."""

    number: int
    started_at: float
    duration_s: float
    ended: str
    failure: Failure | None
    changes: tuple[str, ...]
    log: Log | None


class Needed(Struct, frozen=True):
    """A step that the failed one builds on, as it was before."""

    step: str
    status: str
    output: Json


class Incident(Struct, frozen=True):
    """One failed step. `before_seq` is the last event before its first attempt; `seq` where the
    failure was final. `definition` is the step as the workflow has it. `since` is what differs from
    its last success in an earlier task, None where none is known.
    """

    step: str
    seq: int
    before_seq: int
    failure: Failure | None
    question: str
    attempts: tuple[Seen, ...]
    attempts_left_out: int
    inputs: Json
    item: Json
    needed: tuple[Needed, ...]
    definition: Json
    diagnosis: ev.Diagnosed | None
    since: SinceSuccess | None = None


class Sources(Struct, frozen=True):
    """Where the facts come from: `output(state, key)` and `inputs(state)` read values, `item` the
    value of an item, `log` the end of an attempt's log, `since` compares with the last success.
    """

    records: Sequence[ev.Recorded]
    workflow: Workflow | None
    output: Callable[[TaskState, str], Json]
    inputs: Callable[[TaskState], Json]
    item: Callable[[TaskState, str], Json]
    log: Callable[[str, int], Log | None]
    since: Callable[[TaskState, str], SinceSuccess | None] = lambda _state, _key: None


def incidents(state: TaskState, sources: Sources) -> list[Incident]:
    """Return the incidents of a task, the one its ending is about first."""
    return [_incident(key, state, sources) for key in incident_steps(state)]


def incident_steps(state: TaskState) -> list[str]:
    """Return the steps whose incidents are told."""
    return failed_steps(state)[:MAX_INCIDENTS]


def failed_steps(state: TaskState) -> list[str]:
    """Return the steps that failed, are parked or ask a person: the innermost, in order."""
    told = told_step(state)
    bad = [key for key, step in state.steps.items() if _is_bad(step)]
    outer = {holder for key in bad for holder in address.ancestors(key)}
    inner = [key for key in bad if key not in outer]
    return sorted(inner, key=lambda key: key != told)


def _is_bad(step: StepState) -> bool:
    if step.status in {"succeeded", "skipped"} or step.waiting == "approval":
        return False
    return step.gave_up or step.failure is not None or step.waiting in {"parked", "person"}


def _incident(key: str, state: TaskState, sources: Sources) -> Incident:
    step = state.step(key)
    own = [
        recorded
        for recorded in sources.records
        if getattr(recorded.event, "step", None) == key and isinstance(recorded.event, ev.StepEvent)
    ]
    first = next((r.seq for r in own if isinstance(r.event, ev.StepStarted)), None)
    before_seq = (first or (own[0].seq if own else state.seq)) - 1
    before = _before(key, before_seq, state, sources)
    attempts = list(_attempts(own, key, sources.log))
    definition = definition_of(sources.workflow, key)
    return Incident(
        step=key,
        seq=own[-1].seq if own else state.seq,
        before_seq=before_seq,
        failure=step.failure,
        question=step.question,
        attempts=tuple(attempts[-MAX_ATTEMPTS:]),
        attempts_left_out=max(0, len(attempts) - MAX_ATTEMPTS),
        inputs=sources.inputs(state),
        item=sources.item(state, key),
        needed=tuple(_needed(definition, key, before, sources)),
        definition=_written(definition),
        diagnosis=step.diagnosis,
        since=sources.since(before, key) if step.failure is not None else None,
    )


def _before(key: str, seq: int, state: TaskState, sources: Sources) -> TaskState:
    """Return a state in which what the step needs is as it was after `seq`: the last one, unless
    something has happened to any of that since.
    """
    definition = definition_of(sources.workflow, key)
    scope = address.parent_scope(key)
    needs = [address.inside(scope, need) for need in (definition.needs if definition else ())]
    later = (recorded.event for recorded in sources.records[seq:])
    if not any(_touches(event, needs) for event in later):
        return state
    return replay(state.task_id, sources.records[: max(seq, 1)])


def _touches(event: ev.Event, needs: Sequence[str]) -> bool:
    """Return whether an event may change any of these steps, or what they hold."""
    if isinstance(event, ev.StepsReset | ev.AttemptsGranted | ev.TaskCancelled):
        return True
    step = getattr(event, "step", None)
    return step is not None and any(
        step == need or address.under(step, need) or address.under(need, step) for need in needs
    )


def _attempts(
    own: Sequence[ev.Recorded], key: str, log: Callable[[str, int], Log | None]
) -> Iterator[Seen]:
    """Fold a step's records into its attempts."""
    started: ev.Recorded | None = None
    changes: tuple[str, ...] = ()
    for recorded in own:
        event = recorded.event
        match event:
            case ev.StepStarted():
                started = recorded
            case ev.RetryScheduled() | ev.FixApplied():
                changes = tuple(a.reason or a.kind for a in event.adjustments)
            case ev.FallbackTaken():
                changes = (f"fallback {event.alternative}",)
            case ev.StepFailed() | ev.StepSucceeded() | ev.StepInterrupted() | ev.RoundFinished():
                yield _seen(started, recorded, event, changes, log(key, event.attempt))
                started, changes = None, ()
            case _:
                pass
    if started is not None and isinstance(started.event, ev.StepStarted):
        number = started.event.attempt
        yield Seen(number, started.time, 0.0, "still running", None, changes, log(key, number))


def _seen(
    started: ev.Recorded | None,
    ended: ev.Recorded,
    event: ev.StepFailed | ev.StepSucceeded | ev.StepInterrupted | ev.RoundFinished,
    changes: tuple[str, ...],
    log: Log | None,
) -> Seen:
    began = started.time if started is not None else ended.time
    took = ended.time - began if isinstance(event, ev.StepInterrupted) else event.duration_s
    words = {
        ev.StepFailed: "failed",
        ev.StepSucceeded: "succeeded",
        ev.StepInterrupted: "interrupted",
        ev.RoundFinished: "ended a round",
    }
    failure = event.failure if isinstance(event, ev.StepFailed) else None
    return Seen(event.attempt, began, took, words[type(event)], failure, changes, log)


def definition_of(workflow: Workflow | None, key: str) -> Step | None:
    """Return the step's definition; that of a step inside a sub-workflow too, where it is known."""
    part, _, rest = key.partition("/")
    if workflow is None:
        return None
    step = next((s for s in workflow.steps if s.id == part.partition("[")[0]), None)
    if not rest or step is None:
        return step
    path = step.spec.get("path") or step.spec.get("workflow") or step.spec.get("file")
    return definition_of(workflow.subworkflows.get(str(path)), rest)


def _written(step: Step | None) -> Json:
    if step is None:
        return None
    shown: dict[str, Json] = {step.kind: dict(step.spec)}
    extras = {"if": step.if_, "with": step.with_, "stdin": step.stdin, "until": step.until}
    return {**shown, **{name: value for name, value in extras.items() if value is not None}}


def _needed(step: Step | None, key: str, before: TaskState, sources: Sources) -> Iterator[Needed]:
    if step is None:
        return
    scope = address.parent_scope(key)
    for need in step.needs:
        needed = address.inside(scope, need)
        yield Needed(needed, before.step(needed).status, sources.output(before, needed))

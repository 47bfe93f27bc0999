"""What an event says to a person: one short sentence for each kind of event.

Owns the words; the reporters own where and when they appear. `None` means that the event is not
worth a line. Foreign text (messages, questions) leaves here harmless and on one line.
"""

from typing import NamedTuple, assert_never

from agentrun.core import events as ev
from agentrun.core.failure import Failure
from agentrun.core.outcome import Usage
from agentrun.core.state import StepState, TaskState
from agentrun.report import words
from agentrun.report.screen import Style

MAX_MESSAGE_CHARS = 160


class Sentence(NamedTuple):
    """`about` is a step's address, or "" for the task."""

    about: str
    text: str
    style: Style = ""


def sentence(recorded: ev.Recorded, state: TaskState) -> Sentence | None:
    """Return what to say of a record; `state` already includes it."""
    event = recorded.event
    if isinstance(event, ev.TaskEvent):
        return _of_task(event, state)
    return _of_step(event, state.step(event.step), recorded.time)


def failure_text(failure: Failure, limit: int = MAX_MESSAGE_CHARS) -> str:
    """Return `rate_limit (429 Too Many Requests)`."""
    message = words.one_line(failure.message, limit)
    return f"{failure.kind} ({message})" if message else str(failure.kind)


def usage_text(usage: Usage | None) -> str:
    """Return `1.2k tokens, $0.0110`; nothing when nothing was used."""
    if usage is None:
        return ""
    return used_text(usage.tokens, usage.usd, unknown=usage.unpriced)


def used_text(tokens: int, usd: float | None, *, unknown: bool) -> str:
    """Return tokens and price in words; a price that is not known is said to be unknown."""
    parts = [f"{words.short_number(tokens)} tokens"] if tokens else []
    if unknown or usd or (tokens and usd is not None):
        parts.append(words.usd(usd or 0.0, incomplete=unknown))
    return ", ".join(parts)


def progress_text(state: TaskState) -> str:
    """Return `3 of 5 steps done`: steps of the workflow itself, not items."""
    done = sum(
        step.status in {"succeeded", "skipped"}
        for key, step in state.steps.items()
        if "[" not in key and "/" not in key
    )
    return f"{done:,} of {words.plural(state.steps_total, 'step')} done"


def _of_task(event: ev.TaskEvent, state: TaskState) -> Sentence | None:
    match event:
        case ev.TaskStarted():
            origin = f", forked from {event.forked_from}" if event.forked_from else ""
            return Sentence(
                "",
                f"task {state.task_id} started: {words.plural(event.steps_total, 'step')}{origin}",
            )
        case ev.TaskResumed():
            return Sentence("", f"task {state.task_id} resumed: {progress_text(state)}")
        case ev.InputsChanged():
            return Sentence("", f"inputs changed: {words.listing(event.names)}")
        case ev.WorkflowChanged():
            return Sentence("", f"bound to another definition: {words.safe(event.workflow_path)}")
        case ev.StepsReset():
            reason = f" ({words.one_line(event.reason)})" if event.reason else ""
            return Sentence("", f"to be run again: {words.listing(event.steps)}{reason}")
        case ev.AttemptsGranted():
            return Sentence("", f"fresh attempts for: {words.listing(event.steps)}")
        case ev.TaskPaused():
            return Sentence("", f"paused: {words.one_line(event.message)}", "yellow")
        case ev.TaskSucceeded():
            return Sentence("", "succeeded", "green")
        case ev.TaskFailed():
            return Sentence("", f"failed: {failure_text(event.failure)}", "red")
        case ev.TaskCancelled():
            reason = f": {words.one_line(event.reason)}" if event.reason else ""
            return Sentence("", f"cancelled{reason}", "yellow")
        case ev.TaskInterrupted():
            return Sentence("", f"interrupted by {event.signal}", "yellow")
        case ev.TaskHalted():
            where = event.step or ""
            return Sentence(where, f"nothing new starts: {words.one_line(event.reason)}", "red")
        case ev.Warned():
            return Sentence(event.step or "", f"warning: {words.one_line(event.message)}", "yellow")
        case _:
            assert_never(event)


def _of_step(event: ev.StepEvent, step: StepState, now: float) -> Sentence | None:
    match event:
        case ev.ProcessNoted() | ev.SessionNoted() | ev.TurnNoted():
            return None
        case ev.StepStarted():
            return Sentence(event.step, _started(event), "dim")
        case ev.StepSucceeded():
            return Sentence(event.step, _succeeded(event, step), "green")
        case ev.StepFailed():
            if not event.attempt:
                return None  # it failed without one: that it did is told next
            after = f" after {words.duration(event.duration_s)}" if event.duration_s else ""
            text = f"attempt {event.attempt} failed{after}: {failure_text(event.failure)}"
            return Sentence(event.step, text, "red")
        case ev.StepInterrupted():
            reason = words.one_line(event.reason)
            return Sentence(event.step, f"interrupted: {reason}; not charged", "yellow")
        case ev.RoundFinished():
            took = words.duration(event.duration_s)
            return Sentence(event.step, f"round {event.round} ended in {took}; one more")
        case ev.StepSkipped():
            return Sentence(event.step, f"skipped: {words.one_line(event.reason)}", "dim")
        case ev.StepBlocked():
            return Sentence(event.step, f"blocked: needs {event.by}", "yellow")
        case ev.StepExpanded():
            return Sentence(event.step, words.plural(event.count, "item"), "dim")
        case ev.ScopeOpened():
            return Sentence(event.step, f"runs {words.safe(event.path)}", "dim")
        case ev.WaitStarted():
            return Sentence(event.step, f"waits {words.until(event.until, now)}", "dim")
        case _:
            return _of_consequence(event, step, now)


def _of_consequence(
    event: (
        ev.RetryScheduled
        | ev.FallbackTaken
        | ev.StepGaveUp
        | ev.StepParked
        | ev.PersonAsked
        | ev.ApprovalAsked
        | ev.StepAnswered
        | ev.IncidentOpened
        | ev.FixApplied
        | ev.FixJudged
        | ev.Diagnosed
    ),
    step: StepState,
    now: float,
) -> Sentence | None:
    match event:
        case ev.RetryScheduled():
            return Sentence(event.step, _retry(event, step), "yellow")
        case ev.FallbackTaken():
            text = f"fallback {event.alternative}: {words.one_line(event.reason)}"
            return Sentence(event.step, text, "yellow")
        case ev.StepGaveUp():
            return Sentence(event.step, _gave_up(event, step), "red")
        case ev.StepParked():
            when = f" {words.until(event.until, now)}" if event.until else ""
            text = f"parked{when}: {words.one_line(event.reason)}"
            return Sentence(event.step, text, "yellow")
        case ev.PersonAsked():
            return Sentence(event.step, f"asks: {words.one_line(event.question)}", "yellow")
        case ev.ApprovalAsked():
            options = "/".join(words.one_line(option, 40) for option in event.options)
            text = f"asks: {words.one_line(event.message)} [{options}]"
            return Sentence(event.step, text, "yellow")
        case ev.StepAnswered():
            answer = words.one_line(str(event.answer), 80)
            return Sentence(event.step, f"answered by {words.one_line(event.by, 60)}: {answer}")
        case ev.IncidentOpened():
            what = failure_text(step.failure) if step.failure else event.fingerprint
            return Sentence(event.step, f"incident, the Debugger takes it: {what}", "yellow")
        case ev.FixApplied():
            return Sentence(event.step, f"fix tried: {fix_text(event)}", "yellow")
        case ev.FixJudged():
            return Sentence(event.step, "fix worked" if event.worked else "fix undone")
        case ev.Diagnosed():
            return Sentence(event.step, f"diagnosis: {words.one_line(event.cause)}", "yellow")
        case _:
            assert_never(event)


def fix_text(event: ev.FixApplied) -> str:
    """Return `raise timeout to 120 (it was too short; rules, 80 %)`."""
    kind = str(event.fix.get("type", "fix"))
    cause = words.one_line(event.cause)
    return f"{kind} ({cause}; {event.analyst}, {event.confidence:.0%} sure)"


def _started(event: ev.StepStarted) -> str:
    parts = ["started" if event.attempt == 1 else f"attempt {event.attempt} started"]
    if event.round > 1:
        parts.append(f"round {event.round}")
    if event.alternative:
        parts.append(f"fallback {event.alternative}")
    return ", ".join(parts)


def _succeeded(event: ev.StepSucceeded, step: StepState) -> str:
    took = event.duration_s
    if not took and step.started_at is not None:
        took = (step.ended_at or step.started_at) - step.started_at
    parts = [f"done in {words.duration(took)}"]
    if step.items is not None:
        parts.append(words.plural(step.count, "item"))
    if event.attempt > 1:
        parts.append(f"attempt {event.attempt}")
    if used := usage_text(event.usage or step.usage):  # an API model tells it turn by turn
        parts.append(used)
    if event.repairs:
        parts.append("answer mended: " + words.one_line("; ".join(event.repairs), 80))
    return ", ".join(parts)


def _retry(event: ev.RetryScheduled, step: StepState) -> str:
    what = failure_text(step.failure) if step.failure else words.one_line(event.reason)
    delay = words.duration(event.delay_s)
    text = f"attempt {event.attempt} of {event.of} in {delay}: {what}"
    if event.adjustments:
        changes = (words.one_line(a.reason or a.kind, 80) for a in event.adjustments)
        text += f"; changed: {', '.join(changes)}"
    return text


def _gave_up(event: ev.StepGaveUp, step: StepState) -> str:
    attempts = words.plural(step.attempts, "attempt")
    what = failure_text(step.failure) if step.failure else words.one_line(event.reason)
    after = f"failed after {attempts}: {what}" if step.attempts else f"failed: {what}"
    return after + ("; the task goes on" if event.continued else "")

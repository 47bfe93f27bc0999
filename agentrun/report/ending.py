"""What every ending says on stderr: what happened, what is lost and kept, the next command.

failed: label[3], attempt 3: rate_limit (429 Too Many Requests)
  why      transient, by rule http.429 on "429"
  hint     wait, or lower max_parallel
  printed  | ...the last lines of what the attempt printed
  done     3 of 5 steps in 12 s; report is blocked
  next     agentrun debug triage-20261123-123105-k3f9
           agentrun resume triage-20261123-123105-k3f9    # try the failed steps again
"""

from collections.abc import Iterator, Sequence

from agentrun.core import address
from agentrun.core.failure import Failure
from agentrun.core.state import Ending, TaskState
from agentrun.report import words
from agentrun.report.next_command import next_commands
from agentrun.report.screen import Screen, Style
from agentrun.report.sentences import failure_text, progress_text, used_text

TAIL_LINES = 8
LABEL_WIDTH = 9
TRACEBACK = "Traceback (most recent call last):"


def ending_lines(
    state: TaskState, screen: Screen, now: float, folder_option: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the lines that end a run, whatever its ending."""
    headline, style = _headline(state, now)
    yield screen.paint(style, headline)
    yield from _labelled(screen, _facts(state))
    nexts = next_commands(state, folder_option)
    for index, (command, why) in enumerate(nexts):
        label = "next" if index == 0 else ""
        comment = screen.paint("dim", f"    # {why}") if why else ""
        yield f"  {screen.paint('dim', label.ljust(LABEL_WIDTH))}{command}{comment}"


def _labelled(screen: Screen, facts: Iterator[tuple[str, str]]) -> Iterator[str]:
    last = ""
    for label, text in facts:
        shown = label if label != last else ""
        yield f"  {screen.paint('dim', shown.ljust(LABEL_WIDTH))}{text}"
        last = label


def _headline(state: TaskState, now: float) -> tuple[str, Style]:
    ending = state.ending
    if ending is None:
        return f"{state.task_id} did not end: the process that ran it is gone", "yellow"
    match state.status:
        case "succeeded":
            return f"succeeded: {_cost_text(state)} ({state.task_id})", "green"
        case "failed":
            return _failed(ending), "red"
        case "cancelled":
            reason = f": {words.one_line(ending.message)}" if ending.message else ""
            return f"cancelled{reason} ({state.task_id})", "yellow"
        case "interrupted":
            return f"interrupted by {ending.message}, checkpoint saved ({state.task_id})", "yellow"
        case _:
            return _paused(ending, now), "yellow"


def _failed(ending: Ending) -> str:
    what = failure_text(ending.failure) if ending.failure else words.one_line(ending.message)
    return f"failed: {ending.step}: {what}" if ending.step else f"failed: {what}"


def _paused(ending: Ending, now: float) -> str:
    when = f" {words.until(ending.resume_at, now)}" if ending.resume_at else ""
    who = "waits for a person" if ending.exit_code == 3 else "stopped by something temporary"
    return f"paused{when}: {who}: {words.one_line(ending.message)}"


def _facts(state: TaskState) -> Iterator[tuple[str, str]]:
    failure = told_failure(state)
    if state.status != "succeeded" and failure is not None:
        yield from _why(failure)
    yield from _questions(state)
    if state.status != "succeeded":
        yield "done", f"{progress_text(state)} in {_cost_text(state)}"
        if blocked := [key for key, step in state.steps.items() if step.status == "blocked"]:
            yield "blocked", words.listing(blocked)
    if others := _innermost_failed(state):
        yield "failed" if state.status == "succeeded" else "also", _others(state, others)
    for warning in dict.fromkeys(state.warnings[-3:]):
        yield "warning", words.one_line(warning)


def _innermost_failed(state: TaskState) -> list[str]:
    """Return the failed steps that the headline does not tell of, without those they are in."""
    told = state.ending.step if state.ending else None
    bad = [key for key, step in state.steps.items() if step.gave_up]
    outer = {holder for key in bad for holder in address.ancestors(key)}
    return [key for key in bad if key != told and key not in outer]


def _others(state: TaskState, keys: Sequence[str]) -> str:
    passed_over = all(state.step(key).continued for key in keys)
    return words.listing(keys) + (" (passed over: continue_on_error)" if passed_over else " failed")


def told_failure(state: TaskState) -> Failure | None:
    """Return the failure that the ending is about, if it is about one."""
    ending = state.ending
    if ending is None or state.status not in {"failed", "paused"}:
        return None
    if ending.failure is not None:
        return ending.failure
    failures = (state.step(key).failure for key in ending.steps)
    return next((failure for failure in failures if failure is not None), None)


def told_step(state: TaskState) -> str | None:
    """Return the step that the ending is about, if it is about one."""
    ending = state.ending
    if ending is None or state.status not in {"failed", "paused"}:
        return None
    with_failure = (key for key in ending.steps if state.step(key).failure is not None)
    return ending.step or next(with_failure, None) or next(iter(ending.steps), None)


def _why(failure: Failure) -> Iterator[tuple[str, str]]:
    rule = f", by rule {failure.rule}" if failure.rule else ""
    evidence = f" on {words.one_line(failure.evidence, 80)!r}" if failure.evidence else ""
    yield "why", f"{failure.category}{rule}{evidence}"
    if failure.hint:
        yield "hint", words.one_line(failure.hint)
    for line in tail_lines(failure.tail, TAIL_LINES):
        yield "printed", f"| {line}"


def tail_lines(text: str, limit: int) -> list[str]:
    """Return the last lines of what an attempt printed, harmless; no line that says nothing."""
    told = (line for line in text.splitlines() if line.strip() and line != TRACEBACK)
    return [words.one_line(line) for line in told][-limit:]


def _questions(state: TaskState) -> Iterator[tuple[str, str]]:
    if state.status != "paused" or state.ending is None:
        return
    for key in state.ending.steps:
        step = state.step(key)
        if step.waiting == "approval" and step.approval is not None:
            options = " / ".join(words.one_line(option, 60) for option in step.approval.options)
            yield "question", f"{key}: {words.one_line(step.approval.message)} [{options}]"
        elif step.waiting in {"person", "parked"} and step.question:
            label = "question" if step.waiting == "person" else "parked"
            yield label, f"{key}: {words.one_line(step.question)}"


def _cost_text(state: TaskState) -> str:
    parts = [words.duration(state.active_s)]
    if state.status == "succeeded":
        parts.insert(0, words.plural(state.steps_total, "step"))
    if state.retries:
        parts.append("1 retry" if state.retries == 1 else f"{state.retries:,} retries")
    parts.append(used_text(state.tokens, state.usd, unknown=state.usd_unknown))
    return ", ".join(part for part in parts if part)

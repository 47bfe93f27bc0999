"""`debug`: why a task failed, as a page for people."""

from collections.abc import Iterator, Sequence

from agentrun.core import events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json
from agentrun.core.state import TaskState
from agentrun.report import words
from agentrun.report.incident import Incident, Seen
from agentrun.report.next_command import Next, next_commands
from agentrun.report.result import json_text
from agentrun.report.screen import Screen
from agentrun.report.sentences import failure_text
from agentrun.report.since_success import since_heading, since_lines
from agentrun.report.step_view import output_lines
from agentrun.report.timeline import timeline_lines

MAX_OUTPUT_LINES = 6
MAX_LOG_LINES = 20


def debug_lines(
    state: TaskState,
    found: Sequence[Incident],
    records: Sequence[ev.Recorded],
    screen: Screen,
    folder_option: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the page."""
    if not found:
        standing = "is not over" if state.status == "running" else f"is {state.status}"
        yield f"{state.task_id} {standing}: no step has failed."
    for incident in found:
        yield from _incident(incident, state, records, screen)
        yield ""
    yield screen.paint("bold", "next")
    for each in debug_next(state, found, folder_option):
        yield f"  {each.command}{screen.paint('dim', f'    # {each.why}')}"


def debug_next(
    state: TaskState, found: Sequence[Incident], folder_option: Sequence[str] = ()
) -> list[Next]:
    """Return the commands that help from here."""

    def say(why: str, *parts: str) -> Next:
        return Next(words.typed(["agentrun", *folder_option, *parts, state.task_id]), why)

    general = [n for n in next_commands(state, folder_option) if " debug " not in n.command]
    if not found:
        return general
    step, attempt = found[0].step, found[0].attempts[-1].number if found[0].attempts else 0
    look = []
    if attempt:
        command = ["agentrun", *folder_option, "logs", state.task_id, step]
        look.append(Next(words.typed(command), "everything its last attempt printed"))
    inspect = ["agentrun", *folder_option, "inspect", state.task_id, "--at"]
    before = str(max(1, found[0].before_seq))
    look.append(Next(words.typed([*inspect, before]), "how all steps stood before it"))
    rerun = words.typed(["agentrun", *folder_option, "resume", state.task_id, "--workflow"])
    return [
        *look,
        *general,
        Next(f"{rerun} FILE", "go on with a corrected definition; what is done stays done"),
    ]


def _incident(
    incident: Incident, state: TaskState, records: Sequence[ev.Recorded], screen: Screen
) -> Iterator[str]:
    failure = incident.failure
    what = failure_text(failure, 400) if failure else words.one_line(incident.question)
    yield f"{screen.paint('red', incident.step)}: {what}"
    if failure is not None:
        yield from failure_facts(failure, screen)
    yield from _diagnosis(incident, screen)
    yield from _heading("what happened", screen)
    yield from timeline_lines(state.task_id, records, screen, only=incident.step)
    yield from _heading(f"before it, after event {incident.before_seq}", screen)
    yield from _before(incident)
    if incident.since is not None:
        yield from _heading(since_heading(incident.since, state.updated_at), screen)
        for style, line in since_lines(incident.since):
            yield screen.paint(style, line)
    for seen in incident.attempts:
        yield from _attempt(seen, screen)


def _heading(text: str, screen: Screen) -> Iterator[str]:
    yield ""
    yield screen.paint("bold", text)


def failure_facts(failure: Failure, screen: Screen) -> Iterator[str]:
    """Yield how a failure was classified, by which rule, on what evidence."""
    because = f"rule {failure.rule}" if failure.rule else "no rule matched"
    if failure.evidence:
        because += f" on {words.one_line(failure.evidence, 120)!r}"
    facts: list[tuple[str, Json]] = [
        ("category", f"{failure.category}, {failure.kind}: {because}"),
        ("exit code", failure.exit_code),
        ("signal", failure.signal),
        ("status", failure.status),
        ("exception", failure.exception),
        ("hint", failure.hint or None),
    ]
    for label, value in facts:
        if value is not None:
            yield f"  {screen.paint('dim', label.ljust(11))}{words.one_line(str(value))}"


def _diagnosis(incident: Incident, screen: Screen) -> Iterator[str]:
    """Yield what the Debugger found and proposed, where it was asked."""
    diagnosis = incident.diagnosis
    if diagnosis is None:
        return
    yield from _heading(f"diagnosis ({diagnosis.analyst})", screen)
    yield f"  {words.one_line(diagnosis.cause)}"
    for number, fix in enumerate(diagnosis.proposals, 1):
        yield f"  fix {number}: {words.one_line(json_text(dict(fix)))}"


def _before(incident: Incident) -> Iterator[str]:
    if incident.definition is not None:
        yield f"  step    {words.one_line(json_text(incident.definition))}"
    if incident.inputs:
        yield f"  inputs  {words.one_line(json_text(incident.inputs))}"
    if incident.item is not None:
        yield f"  item    {words.one_line(json_text(incident.item))}"
    for needed in incident.needed:
        yield f"  {needed.step}  {needed.status}"
        if needed.output is not None:
            yield from (f"  {line}" for line in output_lines(needed.output, MAX_OUTPUT_LINES))


def _attempt(seen: Seen, screen: Screen) -> Iterator[str]:
    took = words.duration(seen.duration_s)
    yield from _heading(f"attempt {seen.number}, {seen.ended} after {took}", screen)
    if seen.failure is not None:
        yield f"  {failure_text(seen.failure, 400)}"
    for change in seen.changes:
        yield f"  changed for it: {words.one_line(change)}"
    if seen.log is None:
        yield "  printed nothing that was kept"
        return
    yield f"  printed {words.size(seen.log.size_bytes)}: {seen.log.path}"
    for line in log_lines(seen.log.tail):
        yield f"  | {line}"


def log_lines(text: str, limit: int = MAX_LOG_LINES) -> list[str]:
    """Return the last lines of a log, harmless."""
    return [line[:400] for line in words.safe(text).splitlines()][-limit:]

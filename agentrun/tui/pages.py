"""The pages beside the list of events, as painted lines: what is known at one event.

Each page is put together from the functions that print `inspect` and `debug`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct, structs

from agentrun.core import events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import TaskState
from agentrun.core.value import Items
from agentrun.errors import AgentrunError
from agentrun.recovery.debugger.case import Case, Proposal
from agentrun.recovery.fallback import way
from agentrun.report import words
from agentrun.report.adjustment_view import adjustment_lines
from agentrun.report.debug_view import debug_lines, failure_facts, log_lines
from agentrun.report.diff_view import Side, diff_lines
from agentrun.report.events import event_object
from agentrun.report.fixes_view import diagnosis_lines
from agentrun.report.incident import Sources, definition_of, incidents
from agentrun.report.inspect_view import Page, inspect_lines
from agentrun.report.result import json_text, step_keys
from agentrun.report.sentences import MAX_MESSAGE_CHARS, progress_text
from agentrun.report.step_view import output_lines
from agentrun.report.table import cut
from agentrun.report.timeline import told_lines
from agentrun.tui.paint import Painter
from agentrun.tui.tape import Row, Tape, attempt_of, step_of

MAX_STEPS = 100
MAX_OUTPUTS = 30
MAX_OUTPUT_LINES = 12
MAX_EVENT_LINES = 200
MAX_LOG_LINES = 1000


class CaseFile(Struct, frozen=True):
    """A task and what can be asked about it. `cases` diagnoses it (the first time that is looked
    at); `held` returns who works on the task now, "" when nobody does.
    """

    state: TaskState
    sources: Sources
    cases: Callable[[], Sequence[Case]]
    held: Callable[[], str]
    folder_option: Sequence[str] = ()


class Pages:
    """Writes the pages. Every method yields the lines of one, for a pane of some width."""

    def __init__(self, file: CaseFile, tape: Tape) -> None:
        self._file, self._tape = file, tape
        self._found: Sequence[Case] | None = None

    def cases(self) -> Sequence[Case]:
        """Return what memory and rules say, asked once. Raises AgentrunError when the definition
        can't be read any more.
        """
        if self._found is None:
            self._found = self._file.cases()
        return self._found

    def proposals(self) -> list[tuple[str, Proposal]]:
        """Return the fixes to choose from, each with its step."""
        try:
            return [(case.step, each) for case in self.cases() for each in case.proposals]
        except AgentrunError:
            return []

    def happened(self, row: Row, out: Painter) -> Iterator[str]:
        """Yield the event in words, how its failure was classified, and the step's story so far."""
        recorded, said = row.recorded, row.said
        state = self._tape.state_at(row.seq)
        since = words.duration(recorded.time - self._tape.began)
        yield out.paint("dim", f"event {row.seq:,}, {words.iso(recorded.time)}, {since} in")
        about = f"{out.paint('bold', said.about)}  " if said.about else ""
        yield f"{about}{out.paint(said.style, said.text)}"
        failure = _failure_of(recorded.event, state)
        if failure is not None:
            yield from ("", out.paint("bold", "why"))
            if len(failure.message) > MAX_MESSAGE_CHARS:  # the line above has the begin of it
                yield f"  {words.one_line(failure.message, 1000)}"
            yield from failure_facts(failure, out)
        key = step_of(recorded.event)
        if key is not None:
            yield from ("", out.paint("bold", f"{key} so far"))
            yield from told_lines(self._tape.of_step(key, row.seq), out, only=key)
        yield from ("", out.paint("bold", "as recorded"))
        data = event_object(state.task_id, recorded)
        yield from output_lines(
            {k: v for k, v in data.items() if k not in {"seq", "time", "task_id"}}, MAX_EVENT_LINES
        )

    def state(self, row: Row, out: Painter) -> Iterator[str]:
        """Yield how all steps stood after the event; of very many the ones around its step."""
        state, key = self._tape.state_at(row.seq), step_of(row.recorded.event)
        keys = list(step_keys(state, self._file.sources.workflow))
        kept = _around(keys, key, state)
        shown, workflow = _reduced(state, self._file.sources.workflow, kept, len(keys))
        page = Page(
            shown,
            workflow,
            self._file.sources.inputs(state),
            live=False,
            past=True,
            now=row.recorded.time,
        )
        yield out.paint("bold", f"{progress_text(state)} after event {row.seq:,}")
        yield from islice(inspect_lines(page, out), 1, None)
        if len(kept) < len(keys):
            left = len(keys) - len(kept)
            yield out.paint("dim", f"  … {words.plural(left, 'more step')}")
        yield from self._outputs(state, kept, key, out)

    def _outputs(
        self, state: TaskState, kept: Sequence[str], key: str | None, out: Painter
    ) -> Iterator[str]:
        read = self._file.sources.output
        if key is not None and state.step(key).output is not None:
            yield from ("", out.paint("bold", f"output of {key}"))
            yield from output_lines(read(state, key), MAX_OUTPUT_LINES)
        given = [k for k in kept if k != key and _has_output(state, k)]
        if not given:
            return
        yield from ("", out.paint("bold", "outputs"))
        for each in given[-MAX_OUTPUTS:]:
            value = read(state, each)
            text = words.one_line(value if isinstance(value, str) else json_text(value))
            yield f"  {out.paint('cyan', each)}  {cut(text, max(20, out.width - len(each) - 4))}"

    def diff(self, row: Row, out: Painter) -> Iterator[str]:
        """Yield what the event changed: in the state of the task, and in the step's definition."""
        before, after = self._tape.state_at(row.seq - 1), self._tape.state_at(row.seq)
        sides = [
            Side(name, state, self._file.sources.inputs(state), _reader(self._file.sources, state))
            for name, state in (
                (f"before event {row.seq:,}", before),
                (f"after event {row.seq:,}", after),
            )
        ]
        yield from diff_lines(sides[0], sides[1], out)
        event = row.recorded.event
        if isinstance(event, ev.FixApplied):
            fix = {k: v for k, v in event.fix.items() if k not in {"id", "reason"}}
            yield from ("", out.paint("bold", "fix"))
            yield f"  {words.one_line(json_text(fix))}"
            yield f"  {words.one_line(event.cause)}  ({event.analyst}, {event.confidence:.0%} sure)"
        if isinstance(event, ev.RetryScheduled | ev.FixApplied) and event.adjustments:
            yield from ("", out.paint("bold", "changed for the next attempt"))
            held = before.step(event.step).adjustments
            step = _definition(self._file.sources.workflow, event.step, before)
            yield from adjustment_lines(step, held, event.adjustments, out)

    def log(self, row: Row, out: Painter) -> Iterator[str]:
        """Yield the end of what the event's attempt printed."""
        state, key = self._tape.state_at(row.seq), step_of(row.recorded.event)
        number = attempt_of(row.recorded.event, state)
        if key is None or not number:
            yield out.paint("dim", "no attempt had begun" if key else "an event of the whole task")
            return
        log = self._file.sources.log(key, number)
        yield out.paint("bold", f"{key}, attempt {number}")
        if log is None:
            yield out.paint("dim", "printed nothing that was kept")
            return
        lines = log_lines(log.tail, MAX_LOG_LINES)
        told = "all" if len(log.tail.encode()) >= log.size_bytes else "the end"
        yield out.paint("dim", f"{told} of {words.size(log.size_bytes)} it printed")
        yield out.paint("dim", words.safe(log.path))
        yield ""
        yield from lines

    def diagnosis(self, out: Painter) -> Iterator[str]:
        """Yield the causes and their evidence, then the failed steps as `debug` prints them."""
        state, sources = self._file.state, self._file.sources
        try:
            cases = self.cases()
        except AgentrunError as error:
            cases = ()
            yield out.paint("yellow", f"no diagnosis: {words.one_line(error.message)}")
            yield ""
        for case in cases:
            yield from diagnosis_lines(case, out)
        if any(case.diagnoses for case in cases):
            yield ""
        found = incidents(state, sources)
        yield from debug_lines(state, found, sources.records, out, self._file.folder_option)


def _failure_of(event: ev.Event, state: TaskState) -> Failure | None:
    """Return the failure that an event is about; that of its step while it is not over."""
    if isinstance(event, ev.StepFailed | ev.TaskFailed):
        return event.failure
    key = step_of(event)
    return None if key is None else state.step(key).failure


def _around(keys: list[str], key: str | None, state: TaskState) -> list[str]:
    """Return the steps to show: all, or those that stand out and those around the event's own."""
    if len(keys) <= MAX_STEPS:
        return keys
    dull = {"succeeded", "skipped", "pending"}
    bold = (each for each in keys if state.step(each).status not in dull)
    kept = set(islice(bold, MAX_STEPS // 2))
    top = key.partition("/")[0].partition("[")[0] if key else ""
    place = keys.index(top) if top in keys else len(keys)
    first = max(0, min(place - MAX_STEPS // 4, len(keys) - MAX_STEPS // 2))
    kept.update(keys[first : first + MAX_STEPS // 2])
    return [each for each in keys if each in kept]


def _reduced(
    state: TaskState, workflow: Workflow | None, kept: Sequence[str], of: int
) -> tuple[TaskState, Workflow | None]:
    """Return the state and the workflow with just these steps, and their items."""
    if len(kept) == of:
        return state, workflow
    names = set(kept)
    steps = {k: step for k, step in state.steps.items() if k in names or "[" in k}
    few = workflow and structs.replace(
        workflow, steps=tuple(step for step in workflow.steps if step.id in names)
    )
    return structs.replace(state, steps=steps), few


def _has_output(state: TaskState, key: str) -> bool:
    output = state.step(key).output
    return output is not None and not isinstance(output, Items)


def _reader(sources: Sources, state: TaskState) -> Callable[[str], Json]:
    return lambda key: sources.output(state, key)


def _definition(workflow: Workflow | None, key: str, state: TaskState) -> Step | None:
    """Return the step, as the fallback that it takes has it."""
    step = definition_of(workflow, key)
    number = state.step(key).alternative
    return way(step, number) if step is not None and number <= len(step.fallback) else None

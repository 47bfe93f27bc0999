"""`inspect`: how a task stands at one moment, as a page for people.

Owns which steps get a row: those of the workflow, in its order; of a `for_each` only the items that
are not simply done, and not more than anyone reads.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from agentrun.core import address
from agentrun.core.model import Json, Workflow
from agentrun.core.outcome import Usage
from agentrun.core.spending import spending
from agentrun.core.state import StepState, TaskState
from agentrun.report import words
from agentrun.report.ending import ending_lines, told_step
from agentrun.report.result import duration_of, json_text, step_keys
from agentrun.report.screen import Screen, Style
from agentrun.report.sentences import failure_text, progress_text, usage_text, used_text
from agentrun.report.table import Cell, table
from agentrun.report.tally import DONE, Counts, count_all

MAX_ITEM_ROWS = 10
STYLES: dict[str, Style] = {
    "succeeded": "green",
    "failed": "red",
    "blocked": "yellow",
    "waiting": "yellow",
    "paused": "yellow",
    "interrupted": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
    "pending": "dim",
    "skipped": "dim",
    "damaged": "red",
}


class Page(Struct, frozen=True):
    """What the view is made from. `live` says that a process works on the task now; `past` that it
    is shown as it was before its last event; `inputs` are as they may be shown.
    """

    state: TaskState
    workflow: Workflow | None
    inputs: Json
    live: bool
    past: bool
    now: float
    folder_option: Sequence[str] = ()


def shown_status(state: TaskState, *, live: bool) -> str:
    """Return the status of a task; one that runs without a process was interrupted."""
    return "interrupted" if state.status == "running" and not live else state.status


def inspect_lines(page: Page, screen: Screen) -> Iterator[str]:
    """Yield the page."""
    state = page.state
    status = shown_status(state, live=page.live or page.past)
    shown = screen.paint(STYLES.get(status, ""), status)
    moment = f", after event {state.seq}" if page.past else ""
    yield f"{screen.paint('bold', state.task_id)}  {shown}  {progress_text(state)}{moment}"
    yield from _facts(page, screen)
    yield ""
    yield from table(
        screen, ("step", "status", "attempts", "time", "what"), _rows(page), indent="  "
    )
    if not page.past and state.ending is not None and state.status != "succeeded":
        yield ""
        yield from ending_lines(state, screen, page.now, page.folder_option)
    elif not page.past and status == "interrupted":
        resume = words.typed(["agentrun", *page.folder_option, "resume", state.task_id])
        yield ""
        yield f"the process that ran it is gone; go on with: {resume}"


def _facts(page: Page, screen: Screen) -> Iterator[str]:
    state = page.state
    facts = [
        ("workflow", f"{state.workflow} ({words.safe(state.workflow_path)})"),
        ("started", f"{words.date(state.started_at)}, {_work(state)}"),
        ("used", used_text(state.tokens, state.usd, unknown=state.usd_unknown)),
        ("inputs", words.one_line(json_text(page.inputs)) if page.inputs else ""),
        (
            "forked",
            f"from {state.forked_from}, event {state.forked_at}" if state.forked_from else "",
        ),
        ("process", _process(page)),
        ("halted", words.one_line(state.halted or "")),
    ]
    for label, text in facts:
        if text:
            yield f"  {screen.paint('dim', label.ljust(9))}{text}"


def _work(state: TaskState) -> str:
    parts = [f"{words.duration(state.active_s)} of work"]
    if state.retries:
        parts.append("1 retry" if state.retries == 1 else f"{state.retries:,} retries")
    if state.resumes:
        parts.append(words.plural(state.resumes, "resume"))
    return ", ".join(parts)


def _process(page: Page) -> str:
    holder = page.state.holder
    return f"{holder.pid} on {holder.host}" if page.live and holder is not None else ""


def _rows(page: Page) -> Iterator[Sequence[Cell]]:
    state = page.state
    loops, used = count_all(state), spending(state)
    children = _items_worth_a_row(state)
    for key in step_keys(state, page.workflow):
        yield _row(key, page, loops.get(key), used.get(key))
        shown = children.get(key, [])
        for item in shown[:MAX_ITEM_ROWS]:
            yield _row(item, page, loops.get(item), used.get(item))
        if len(shown) > MAX_ITEM_ROWS:
            more = f"… {len(shown) - MAX_ITEM_ROWS:,} more items are not done"
            yield [Cell(f"{_indent(key)}  …", "dim"), *[Cell("")] * 3, Cell(more, "dim")]


def _items_worth_a_row(state: TaskState) -> dict[str, list[str]]:
    """Return the items that are not simply done, by the step they are an item of."""
    told = told_step(state)
    found: dict[str, list[str]] = {}
    for key, step in state.steps.items():
        loop = address.parent_loop(key)
        if loop is None or "[" in loop or step.status in DONE or step.status == "pending":
            continue
        rows = found.setdefault(loop, [])
        if key == told:
            rows.insert(0, key)
        else:
            rows.append(key)
    return found


def _row(key: str, page: Page, items: Counts | None, used: Usage | None) -> Sequence[Cell]:
    step = page.state.step(key)
    status = step.status
    if status == "running" and not page.live and not page.past:
        holds = step.scope is not None or step.items is not None
        status = "waiting" if holds and page.state.status == "paused" else "interrupted"
    return (
        Cell(_indent(key) + key.rpartition("/")[2], "bold" if status != "pending" else "dim"),
        Cell(status, STYLES.get(status, "")),
        Cell(str(step.attempts) if step.attempts > 1 else ""),
        Cell(_time(step, page)),
        Cell(what(step, page.now, items, used)),
    )


def _indent(key: str) -> str:
    return "  " * (key.count("/") + key.endswith("]"))


def _time(step: StepState, page: Page) -> str:
    if step.status == "running" and page.live and step.attempt_started_at:
        return words.duration(page.now - step.attempt_started_at)
    took = duration_of(step)
    return words.duration(took) if took or step.status == "succeeded" else ""


def what(
    step: StepState, now: float, items: Counts | None = None, used: Usage | None = None
) -> str:
    """Return what is worth saying of a step, in a few words; `used` is with all inside of it."""
    parts = []
    if items is not None:
        parts.append(items_text(items))
    if step.scope is not None:
        parts.append(words.safe(step.scope.path))
    if step.round > 1:
        parts.append(f"round {step.round}")
    if step.alternative:
        parts.append(f"fallback {step.alternative}")
    parts.append(_waiting(step, now))
    again = step.scope is not None and step.status == "running"  # its steps tell how they fare
    if step.failure is not None and step.status not in {"succeeded", "skipped"} and not again:
        parts.append(failure_text(step.failure))
        if step.continued:
            parts.append("passed over")
    if step.fixes:
        parts.append(f"fixes tried: {words.listing(step.fixes)}")
    parts.append(usage_text(used))
    return ", ".join(part for part in parts if part)


def items_text(items: Counts) -> str:
    """Return `9,998 of 10,000 items, 2 failed`."""
    text = f"{items.done:,} of {words.plural(items.total, 'item')}"
    for name in ("failed", "running", "waiting"):
        if number := getattr(items, name):
            text += f", {number:,} {name}"
    return text


def _waiting(step: StepState, now: float) -> str:
    match step.waiting:
        case None:
            return ""
        case "approval" if step.approval is not None:
            options = "/".join(words.one_line(option, 40) for option in step.approval.options)
            return f"{words.one_line(step.approval.message)} [{options}]"
        case "person" | "parked":
            when = f"{words.until(step.until, now)}: " if step.until else ""
            return when + words.one_line(step.question)
        case "retry" if step.until is not None:
            return f"tried again {words.until(step.until, now)}"
        case _:
            return words.until(step.until, now) if step.until is not None else ""

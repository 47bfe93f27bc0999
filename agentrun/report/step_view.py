"""`inspect --step`: one step, item or inner step: its life, its output, where its logs are."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, to_builtins

from agentrun.core import address, events as ev
from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.core.spending import spending, used_by
from agentrun.core.state import StepState, TaskState
from agentrun.report import words
from agentrun.report.inspect_view import STYLES, items_text, what
from agentrun.report.result import duration_of, json_text
from agentrun.report.screen import Screen
from agentrun.report.sentences import failure_text, usage_text
from agentrun.report.table import Cell, table
from agentrun.report.tally import Counts, count_all
from agentrun.report.timeline import timeline_lines

MAX_OUTPUT_LINES = 40
MAX_ITEMS = 50


class StepPage(Struct, frozen=True):
    """What the view is made from. `records` are all records up to the moment that is shown; `logs`
    the attempts' log files that exist.
    """

    key: str
    state: TaskState
    records: Sequence[ev.Recorded]
    output: Json
    logs: Sequence[str]
    now: float


def step_lines(page: StepPage, screen: Screen) -> Iterator[str]:
    """Yield the page of one step."""
    step = page.state.step(page.key)
    status = screen.paint(STYLES.get(step.status, ""), step.status)
    said = what(step, page.now, count_all(page.state).get(page.key))
    yield f"{screen.paint('bold', page.key)}  {status}  {said}".rstrip()
    yield f"  {words.plural(step.attempts, 'attempt')}, {words.duration(duration_of(step))}"
    if used := used_by(page.state, page.key):
        yield f"  used {_used(used)}"
    for adjustment in step.adjustments:
        yield f"  changed: {words.one_line(adjustment.reason or adjustment.kind)}"
    if step.session:
        yield f"  session {words.one_line(step.session)}"
    yield ""
    yield from timeline_lines(page.state.task_id, page.records, screen, only=page.key)
    yield from _items(page, screen)
    if step.output is not None and step.items is None:
        yield ""
        yield screen.paint("dim", "output")
        yield from output_lines(page.output)
    if page.logs:
        yield ""
        yield screen.paint("dim", "logs")
        yield from (f"  {path}" for path in page.logs)


def output_lines(output: Json, limit: int = MAX_OUTPUT_LINES) -> Iterator[str]:
    """Yield a value, harmless and not longer than anyone reads."""
    text = output if isinstance(output, str) else json_text(output, indent=2)
    lines = words.safe(text[: limit * 500]).splitlines()
    for line in lines[:limit]:
        yield f"  {line[:500]}"
    if len(lines) > limit or len(text) > limit * 500:
        yield f"  … {len(text):,} characters in all"


def _used(usage: Usage) -> str:
    """Return `1,000 tokens in (800 of them cached), 200 out, 3 calls, $0.0110, some-model`."""
    cached = f" ({usage.cached_tokens:,} of them cached)" if usage.cached_tokens else ""
    tokens = f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out"
    calls = words.plural(usage.requests, "call") if usage.requests else ""
    price = words.usd(usage.usd or 0.0, incomplete=usage.unpriced)
    return ", ".join(part for part in (tokens, calls, price, usage.model) if part)


def _items(page: StepPage, screen: Screen) -> Iterator[str]:
    parent = page.state.step(page.key)
    if parent.items is None:
        return
    yield ""
    yield items_text(count_all(page.state).get(page.key, Counts(parent.count)))
    used = spending(page.state)
    rows = [_item_row(page, index, used) for index in range(min(parent.count, MAX_ITEMS))]
    yield from table(screen, ("item", "status", "attempts", "time", "what"), rows, indent="  ")
    if parent.count > MAX_ITEMS:
        yield f"  … {parent.count - MAX_ITEMS:,} more; one of them: --step {page.key}[{MAX_ITEMS}]"


def _item_row(page: StepPage, index: int, used: Mapping[str, Usage]) -> Sequence[Cell]:
    key = address.item(page.key, index)
    step = page.state.step(key)
    failed = step.failure is not None and step.status != "succeeded"
    parts = [failure_text(step.failure) if failed and step.failure else ""]
    parts.append(usage_text(used.get(key)))
    return (
        Cell(f"[{index}]"),
        Cell(step.status, STYLES.get(step.status, "")),
        Cell(str(step.attempts or "")),
        Cell(words.duration(duration_of(step)) if step.ended_at else ""),
        Cell(", ".join(part for part in parts if part)),
    )


def step_object(page: StepPage) -> dict[str, Json]:
    """Return the step for `--json`: every fact of its state, its output, its events."""
    step: StepState = page.state.step(page.key)
    facts = to_builtins(step)
    for internal in (
        *("output", "items", "messages", "extra", "scope", "process", "undecided", "usage"),
    ):
        facts.pop(internal, None)
    counts, used = count_all(page.state).get(page.key), used_by(page.state, page.key)
    return {
        "task_id": page.state.task_id,
        "step": page.key,
        "seq": page.state.seq,
        "status": step.status,
        "attempts": step.attempts,
        "duration_s": round(duration_of(step), 3),
        "output": page.output,
        "usage": None if used is None else used.as_json(),
        **facts,
        **({"items": counts.as_json()} if counts else {}),
        "logs": list(page.logs),
    }

"""The run history, shared by all tasks of a checkpoint folder: how steps have fared so far.

    checkpoints/.agentrun/history.json
      {"steps": {<content hash>: {step, workflow, ok, failed, seconds, usd, kinds, last}}}

A step is known by the hash of what it does, so an edited step begins a new history. Items of a
`for_each` count as runs of their step. Bounded: MAX_STEPS steps, the last MAX_RUNS durations and
prices of each, the first MAX_STEPS_OF_A_TASK steps of a workflow.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from agentrun.core import address
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import StepState, TaskState
from agentrun.errors import StoreError

if TYPE_CHECKING:
    from agentrun.recovery.debugger.memory import Shared

NAME = "history"
MAX_STEPS = 2000
MAX_STEPS_OF_A_TASK = 200
MAX_ITEMS = 50
MAX_RUNS = 50
HASH_CHARS = 16
ENOUGH_RUNS = 5


class StepHistory(Struct, omit_defaults=True):
    """What happened to one step so far; a run that had to be parked has failed. `seconds` and `usd`
    are of its last successes; `kinds` counts failures by kind, recovered ones too.
    """

    step: str
    workflow: str
    ok: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    usd: list[float] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    last: float = 0.0


def read(shared: "Shared") -> dict[str, StepHistory]:
    """Return the history by content hash."""
    return _entries(shared.read(NAME))


def successes(shared: "Shared", content_hash: str) -> int:
    """Return how often a step that does just this has succeeded."""
    known = read(shared).get(content_hash[:HASH_CHARS])
    return 0 if known is None else known.ok


def slowest_of(shared: "Shared") -> Callable[[str], float | None]:
    """Return what tells the longest time of a step's successes; None where few are known. The
    history is read once, when the first step asks.
    """
    known: dict[str, StepHistory] | None = None

    def slowest(content_hash: str) -> float | None:
        nonlocal known
        if known is None:
            known = read(shared)
        entry = known.get(content_hash[:HASH_CHARS])
        enough = entry is not None and len(entry.seconds) >= ENOUGH_RUNS
        return max(entry.seconds) if entry is not None and enough else None

    return slowest


def remember(shared: "Shared", workflow: Workflow, state: TaskState, since: float) -> None:
    """Add what a run of a task brought: everything that ended after the moment `since`."""
    runs = list(_runs(workflow, state, since))
    if not runs:
        return
    with suppress(StoreError), shared.update(NAME) as data:  # knowledge: a task goes without
        entries = _entries(data)
        for step, run in runs:
            name = step.content_hash[:HASH_CHARS]
            entry = entries.setdefault(name, StepHistory(step.id, workflow.name))
            _add(entry, run)
        newest = sorted(entries.items(), key=lambda item: -item[1].last)[:MAX_STEPS]
        data["steps"] = msgspec.to_builtins(dict(newest))


def _runs(workflow: Workflow, state: TaskState, since: float) -> Iterator[tuple[Step, StepState]]:
    for step in workflow.steps[:MAX_STEPS_OF_A_TASK]:
        own = state.step(step.id)
        whole = [own]
        if own.items is not None:
            count = min(own.count, MAX_ITEMS)
            whole = [state.step(address.item(step.id, index)) for index in range(count)]
        for run in whole:
            parked = run.waiting == "parked" and run.failure is not None  # nothing else was left
            over = run.status == "succeeded" or run.gave_up or parked
            if over and run.attempts and (run.ended_at or 0.0) > since:
                yield step, run


def _add(entry: StepHistory, run: StepState) -> None:
    if run.status == "succeeded":
        entry.ok += 1
        entry.seconds = [*entry.seconds, round(run.busy_s, 3)][-MAX_RUNS:]
        if run.usage is not None and run.usage.usd is not None:
            entry.usd = [*entry.usd, round(run.usage.usd, 6)][-MAX_RUNS:]
    else:
        entry.failed += 1
    if run.failure is not None:
        entry.kinds[run.failure.kind] = entry.kinds.get(run.failure.kind, 0) + 1
    entry.last = max(entry.last, run.ended_at or 0.0)


def _entries(data: Mapping[str, Json]) -> dict[str, StepHistory]:
    """Read the entries; those that are not in form are left out: this is knowledge, not truth."""
    found: dict[str, StepHistory] = {}
    steps = data.get("steps")
    for name, raw in steps.items() if isinstance(steps, dict) else ():
        try:
            found[name] = msgspec.convert(raw, StepHistory)
        except msgspec.ValidationError:
            continue
    return found

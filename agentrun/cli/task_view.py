"""A task on disk as the views need it: its state, its definition, values that may be shown.

A recorded secret stays a placeholder (`[secret TOKEN]`): looking at a task never needs the secret.
"""

from collections.abc import Sequence

from agentrun.cli.settings import Settings
from agentrun.core import address, events as ev
from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState
from agentrun.core.value import Items, Value
from agentrun.errors import AgentrunError, about
from agentrun.last_success import Successes
from agentrun.report.incident import Log, Sources, definition_of
from agentrun.report.since_success import Given, SinceSuccess, since_success
from agentrun.store.manager import CheckpointManager
from agentrun.store.view import TaskView

MAX_SHOWN_ITEMS = 100
TAIL_BYTES = 8192


def open_view(settings: Settings, task: str, *, even_empty: bool = False) -> TaskView:
    """Return the task that is meant. Raises UsageError if there is none, and Damaged if nothing of
    it can be shown, unless `even_empty`.
    """
    manager = CheckpointManager(settings.root)
    task_id = manager.resolve(task)
    with about(task_id):
        view = manager.read(task_id)
        if not even_empty:
            view.refuse_empty()
        return view


def definition(view: TaskView) -> Workflow | None:
    """Return the definition the task is bound to; None when it can't be read any more."""
    from agentrun.pinned import pinned_workflow

    try:
        return pinned_workflow(view)
    except AgentrunError:
        return None


def shown(view: TaskView, value: Value | None) -> Json:
    """Return a value, its secrets left as placeholders."""
    if value is None or isinstance(value, Items):
        return None
    try:
        return view.values.masked(value)
    except AgentrunError as error:
        return f"[{error.message}]"


def output_of(view: TaskView, state: TaskState, key: str) -> Json:
    """Return a step's output; of a `for_each` the first of its items."""
    output = state.step(key).output
    if not isinstance(output, Items):
        return shown(view, output)
    count = min(output.items, MAX_SHOWN_ITEMS)
    items = [output_of(view, state, address.item(key, index)) for index in range(count)]
    left = output.items - count
    return [*items, f"... and {left} more"] if left else items


def item_of(view: TaskView, state: TaskState, key: str) -> Json:
    """Return the value of the item that this step is, or is inside of."""
    while key:
        loop, index = address.parent_loop(key), address.item_index(key)
        if loop is not None and index is not None:
            items = shown(view, state.step(loop).items)
            return items[index] if isinstance(items, list) and index < len(items) else None
        key = address.parent_scope(key)
    return None


def sources_of(
    view: TaskView, records: Sequence[ev.Recorded], tail_bytes: int = TAIL_BYTES
) -> Sources:
    """Return the sources of everything that is said about a failure."""
    return Sources(
        records,
        definition(view),
        output=lambda state, key: output_of(view, state, key),
        inputs=lambda state: shown(view, state.inputs),
        item=lambda state, key: item_of(view, state, key),
        log=lambda step, attempt: log_of(view, step, attempt, tail_bytes),
        since=_Since(view),
    )


class _Since:
    """Compares what a step of the task was given with what it was given when it last succeeded."""

    def __init__(self, view: TaskView) -> None:
        self._view = view
        self._successes = Successes(CheckpointManager(view.folder.parent), view)

    def __call__(self, state: TaskState, key: str) -> SinceSuccess | None:
        other = self._successes.of(key)
        if other is None:
            return None
        same = other.state.workflow_sha256 == state.workflow_sha256
        same = same and other.state.sources == state.sources
        now = definition(self._view)
        then = now if same else definition(other)
        return since_success(
            key, _given(other, other.state, then, key), _given(self._view, state, now, key)
        )


def _given(view: TaskView, state: TaskState, workflow: Workflow | None, key: str) -> Given:
    return Given(
        state,
        definition_of(workflow, key),
        shown(view, state.inputs),
        item_of(view, state, key),
        lambda above: output_of(view, state, above),
    )


def log_of(view: TaskView, step: str, attempt: int, tail_bytes: int = TAIL_BYTES) -> Log | None:
    """Return the end of an attempt's log, None when it printed nothing."""
    path = view.log_path(step, attempt)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - tail_bytes))
            tail = file.read(tail_bytes)
    except OSError:
        return None
    return Log(str(path), size, tail.decode("utf-8", "replace")) if size else None

"""Forks: a new task that begins with the events of another one up to a point."""

from collections.abc import Mapping

import msgspec

from agentrun.core import events as ev
from agentrun.errors import UsageError
from agentrun.store import host
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore
from agentrun.store.verify import blobs_of


def copy_until(
    manager: CheckpointManager,
    task_id: str,
    seq: int,
    new_id: str,
    secrets: Mapping[str, str] | None = None,
    ending: ev.TaskPaused | None = None,
) -> TaskStore:
    """Make `new_id` out of the first `seq` events of a task; blobs are copied and checked.

    The first event says where it comes from; `ending` is put behind the last, at its moment: from
    there on nobody worked on it. Works on a damaged task too, up to the damage.
    """
    view = manager.read(task_id, secrets)
    records = view.records[:seq]
    if not records or records[-1].seq != seq:
        last = view.records[-1].seq if view.records else 0
        raise UsageError(f"Task {task_id} has no record {seq}.", f"Its last one is {last}.")
    first = records[0].event
    assert isinstance(first, ev.TaskStarted), "a task begins with task_started"
    forked = msgspec.structs.replace(
        first, forked_from=task_id, forked_at=seq, holder=host.this_process(1)
    )
    records = [msgspec.structs.replace(records[0], event=forked), *records[1:]]
    if ending is not None:
        records.append(ev.Recorded(seq + 1, records[-1].time, ending))
    values = manager.new_values(new_id, secrets or {})
    for digest in {digest for recorded in records for digest in blobs_of(recorded.event)}:
        values.put_text(view.values.text(digest))
    text, digests = forked.workflow_sha256, forked.sources
    for recorded in records:
        if isinstance(recorded.event, ev.WorkflowChanged):
            text, digests = recorded.event.workflow_sha256, recorded.event.sources
    sources = {path: view.values.text(digest).decode() for path, digest in digests.items()}
    return manager.create(new_id, view.values.text(text), sources, records, values=values)

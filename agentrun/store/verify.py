"""Checks every file of a task, and says of each what is right or wrong; changes nothing."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from agentrun.core import events as ev
from agentrun.core.state import IllegalTransition, replay
from agentrun.errors import StoreError
from agentrun.store.disk import Disk
from agentrun.store.recovery import Finding
from agentrun.store.secrets import Secrets
from agentrun.store.snapshots import SNAPSHOTS, SnapshotStore
from agentrun.store.task import WORKFLOW
from agentrun.store.values import BLOBS, COPY, COPY_BYTES, is_whole, read_copy
from agentrun.store.view import TaskView


def verify(disk: Disk, view: TaskView) -> list[Finding]:
    """Return what was found out about each file, the journal's copies first."""
    findings = list(view.findings)
    if view.running:
        findings.append(Finding("lock", ok=True, message="a process is at work on this task"))
    try:
        records = view.records
        replay(view.task_id, records)
    except (StoreError, IllegalTransition) as error:
        findings.append(Finding("journal.jsonl", ok=False, message=str(error)))
        return findings
    folder = str(view.folder)
    findings.append(_workflow(disk, folder, records))
    findings.extend(_blobs(disk, folder, records))
    findings.extend(_snapshots(disk, folder, view))
    return findings


def _workflow(disk: Disk, folder: str, records: list[ev.Recorded]) -> Finding:
    bound = ""
    for recorded in records:
        if isinstance(recorded.event, ev.TaskStarted | ev.WorkflowChanged):
            bound = recorded.event.workflow_sha256
    data = disk.read(f"{folder}/{WORKFLOW}")
    if data is None:
        return Finding(WORKFLOW, ok=False, message="is missing")
    if sha256(data).hexdigest() != bound:
        return Finding(
            WORKFLOW, ok=False, message="is not the definition that the task is bound to"
        )
    return Finding(WORKFLOW, ok=True, message="is the definition that the task is bound to")


def _blobs(disk: Disk, folder: str, records: list[ev.Recorded]) -> Iterator[Finding]:
    named: dict[str, int] = {}
    for recorded in records:
        for digest in blobs_of(recorded.event):
            named.setdefault(digest, recorded.seq)
    good = 0
    for digest, seq in named.items():
        name = f"{BLOBS}/{digest[:64]}"
        path = f"{folder}/{name}"
        data, copy = None, None
        if digest.isalnum():
            data, copy = disk.read(path), read_copy(disk, path)
        if is_whole(data, digest):
            good += 1
            if len(data) <= COPY_BYTES and copy != data:
                yield _lacks_copy(name + COPY, copy)
            continue
        wrong = "is missing" if data is None else "is damaged"
        hope = "; its second copy is whole" if is_whole(copy, digest) else ""
        yield Finding(name, ok=False, message=f"{wrong}; record {seq} needs it{hope}")
    if good:
        yield Finding(BLOBS, ok=True, message=f"{good} values are whole")


def _lacks_copy(name: str, copy: bytes | None) -> Finding:
    """No damage: a power cut may take a copy away, and a resume that reads the value renews it."""
    wrong = "is missing" if copy is None else "is damaged"
    return Finding(name, ok=True, message=f"{wrong}; the value itself is whole")


def _snapshots(disk: Disk, folder: str, view: TaskView) -> Iterator[Finding]:
    store = SnapshotStore(folder, disk, view.task_id, Secrets({}))
    for found in store.all():
        name = f"{SNAPSHOTS}/{found.name}"
        read = store.read(found)
        if read is None:
            message = "is damaged or of another version; the journal is read instead"
            yield Finding(name, ok=False, message=message)
        elif read.anchor != view.anchor_at(found.seq):
            message = "does not fit the journal, which is read instead"
            yield Finding(name, ok=False, message=message)
        else:
            yield Finding(name, ok=True, message=f"is whole: the state after record {found.seq}")


def blobs_of(event: ev.Event) -> Iterator[str]:
    """Yield the blobs that an event names."""
    if isinstance(event, ev.TaskStarted | ev.WorkflowChanged):
        yield event.workflow_sha256
        yield from event.sources.values()
    yield from _named(msgspec.to_builtins(event))


def _named(data: Any) -> Iterator[str]:
    match data:
        case {"in": "inline"}:
            return  # what a value holds is not ours to interpret
        case {"in": "blob", "blob": str() as digest}:
            yield digest
        case dict():
            for item in data.values():
                yield from _named(item)
        case list() | tuple():
            for item in data:
                yield from _named(item)
        case _:
            return

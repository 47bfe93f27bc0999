"""Snapshots: a task's state at one moment, as JSON, so that a resume reads only what came after.

    snapshots/<UTC yyyymmddThhmmss.ffffffZ>-<seq>.json       one `TaskCheckpoint`, an object whose
    {..., "sha256":"..."}                                    last field is the hash of all before it

A snapshot is a shortcut, never the truth: it is written aside and renamed but not synced, one that
is damaged is kept aside and ignored, and deleting all of them changes nothing but the time a resume
takes. It is also a witness: it is written after the journal's sync only, so its seq was on disk.

What would stand twice stands once: outputs are in `intermediate_results` and memory is in
`agent_memory`; `state` has neither, and `restored` puts them back. Snapshots are spaced so that
their bytes stay in proportion to the journal's (`is_due`); the newest KEEP stay.
"""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from agentrun import __version__
from agentrun.core.state import StepState, TaskState, TaskStatus
from agentrun.core.value import Value, encoded
from agentrun.store.disk import Disk
from agentrun.store.record import DECODE_ERRORS, Anchor, iso
from agentrun.store.secrets import Secrets

SNAPSHOTS = "snapshots"
KEEP = 2
FIRST_AFTER = 256
GROWTH = 2
"""A snapshot is due when half as much as the last one covered has come since."""
Part = bytes | bytearray
SEAL_BYTES = len(',"sha256":""}\n') + 64


class Memory(msgspec.Struct, omit_defaults=True):
    """What an agent remembers: its session with a CLI, and the conversation of a model."""

    session: str | None = None
    messages: tuple[Value, ...] = ()


class AgentContext(msgspec.Struct, omit_defaults=True):
    """Where the agents of the task work, and on what."""

    cwd: str = ""
    workflow_path: str = ""
    inputs: Value | None = None
    tokens: int = 0
    usd: float = 0.0


class TaskCheckpoint(msgspec.Struct):
    """The state of a task at one moment.

    `progress_percentage` counts the workflow's own steps. `dependencies_completed` are the steps
    that are done, so that what needs them may start. `intermediate_results` and `agent_memory` are
    by step. `state` is the rest of the task's state; `anchor` is the place in the journal. Another
    `version` of agentrun may fold events differently, so it reads the journal instead.
    """

    task_id: str
    seq: int
    time: str
    status: TaskStatus
    workflow: str
    progress_percentage: float
    dependencies_completed: list[str]
    intermediate_results: dict[str, Value]
    agent_context: AgentContext
    agent_memory: dict[str, Memory]
    anchor: Anchor
    state: TaskState
    version: str = __version__

    def restored(self) -> TaskState:
        """Return the whole state. The checkpoint must not be used after it."""
        for step, output in self.intermediate_results.items():
            self.state.steps[step].output = output
        for step, memory in self.agent_memory.items():
            found = self.state.steps[step]
            found.session, found.messages = memory.session, memory.messages
        return self.state


class Found(msgspec.Struct):
    """A snapshot on disk: its name, and the seq that the name claims."""

    name: str
    seq: int


def parts_of(state: TaskState, anchor: Anchor, scrub: Callable[[bytes], bytes]) -> list[Part]:
    """Return the checkpoint of a state as JSON, in parts, without secrets; the state stays as it
    is. The steps are encoded one by one: a copy of a hundred thousand takes 30 MB.
    """
    results: dict[str, Value] = {}
    memory: dict[str, Memory] = {}
    completed: list[str] = []
    steps = bytearray()
    for key, step in state.steps.items():
        if step.status in {"succeeded", "skipped"}:
            completed.append(key)
        rest = step
        if step.output is not None:
            results[key] = step.output
        if step.session is not None or step.messages:
            memory[key] = Memory(step.session, step.messages)
        if key in results or key in memory:
            rest = msgspec.structs.replace(step, output=None, session=None, messages=())
        steps += b"%s:%s," % (encoded(key), scrub(encoded(rest)))
    checkpoint = TaskCheckpoint(
        task_id=state.task_id,
        seq=state.seq,
        time=iso(state.updated_at),
        status=state.status,
        workflow=state.workflow,
        progress_percentage=progress(state),
        dependencies_completed=completed,
        intermediate_results=results,
        agent_context=AgentContext(
            state.cwd, state.workflow_path, state.inputs, state.tokens, round(state.usd, 6)
        ),
        agent_memory=memory,
        anchor=anchor,
        state=msgspec.structs.replace(state, steps={"": StepState()}),
    )
    # the last of its kind is ours: after it come `version` and nothing that anybody may choose
    head, mark, tail = scrub(encoded(checkpoint)).rpartition(b'"steps":{"":{}}')
    assert mark, "the steps of a state are its last field"
    del steps[-1:]
    return [head + b'"steps":{', steps, b"}" + tail]


def progress(state: TaskState) -> float:
    """Return how much of the workflow's own steps is done, in percent; failed is not done."""
    if state.status == "succeeded":
        return 100.0
    if state.steps_total < 1:
        return 0.0
    done = sum(
        step.status in {"succeeded", "skipped"}
        for key, step in state.steps.items()
        if "/" not in key and "[" not in key
    )
    return round(min(100.0, 100.0 * done / state.steps_total), 1)


def is_due(seq: int, last_seq: int) -> bool:
    """Return whether enough has happened since the last snapshot to pay for the next."""
    return seq - last_seq >= max(FIRST_AFTER, last_seq // GROWTH)


class SnapshotStore:
    """The snapshots of the task in `folder`."""

    def __init__(self, folder: str, disk: Disk, task_id: str, secrets: Secrets) -> None:
        self._folder, self._disk = f"{folder}/{SNAPSHOTS}", disk
        self._task_id, self._secrets = task_id, secrets

    def write(self, state: TaskState, anchor: Anchor) -> None:
        """Write a snapshot of the state, which must be all that is durable, and prune old ones."""
        assert state.seq == anchor.seq, f"the state is at {state.seq}, the journal {anchor.seq}"
        *parts, end = parts_of(state, anchor, self._secrets.scrub)
        parts.append(end.removesuffix(b"}"))
        stamp = iso(time.time()).replace("-", "").replace(":", "")
        name = f"{self._folder}/{stamp}-{state.seq}.json"
        self._disk.replace(name, *parts, _seal(*parts), sync=False)
        self.prune(KEEP)

    def prune(self, keep: int) -> None:
        """Remove all snapshots but the newest `keep`."""
        for found in self.all()[keep:]:
            self._disk.remove(f"{self._folder}/{found.name}")

    def all(self) -> list[Found]:
        """Return what the folder holds, newest first, by name alone."""
        return found_in(self._disk.names(self._folder))

    def read(self, found: Found) -> TaskCheckpoint | None:
        """Return a snapshot, or None when it is damaged or not of this task or version."""
        data = self._disk.read(f"{self._folder}/{found.name}") or b""
        if not _is_sealed(data):
            return None
        try:
            read = msgspec.json.decode(data, type=TaskCheckpoint)
        except DECODE_ERRORS:
            return None
        fits = read.version == __version__ and read.task_id == self._task_id == read.state.task_id
        in_order = read.seq == found.seq == read.state.seq == read.anchor.seq
        return read if fits and in_order and _is_complete(read) else None

    def path_of(self, found: Found) -> str:
        return f"{self._folder}/{found.name}"


def found_in(names: Sequence[str]) -> list[Found]:
    """Return the snapshots among these names, newest first."""
    found: list[Found] = []
    for name in names:
        stem, dot, kind = name.rpartition(".")
        stamp, _, seq = stem.rpartition("-")
        if dot and kind == "json" and stamp[:8].isdigit() and seq.isascii() and seq.isdigit():
            found.append(Found(name, int(seq[:18])))
    return sorted(found, key=lambda snapshot: (-snapshot.seq, snapshot.name))


def head_of(text: bytes) -> dict[str, Any]:
    """Return the first fields of a snapshot, for lists: no more than its first bytes are needed."""
    head = text.partition(b',"dependencies_completed"')[0] + b"}"
    try:
        fields = msgspec.json.decode(head)
    except DECODE_ERRORS:
        return {}
    return fields if isinstance(fields, dict) else {}


def _seal(*body: Part | memoryview) -> bytes:
    """Return the end of the file: its last field and what closes the object."""
    digest = sha256()
    for part in body:
        digest.update(part)
    return b',"sha256":"%s"}\n' % digest.hexdigest().encode()


def _is_sealed(data: bytes) -> bool:
    stop = max(0, len(data) - SEAL_BYTES)
    return data[stop:] == _seal(memoryview(data)[:stop])


def _is_complete(read: TaskCheckpoint) -> bool:
    steps = read.state.steps
    return all(key in steps for key in read.intermediate_results) and all(
        key in steps for key in read.agent_memory
    )

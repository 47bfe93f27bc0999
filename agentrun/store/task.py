"""An open task: everything the runner does to its folder, while it holds the lock.

Owns the order in which things become durable: blobs before the journal's lines that name them, the
journal before its mirror, snapshots last. Opening a task is recovery: both copies of the journal
are read to their ends and mended before anything is appended.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Self

from agentrun.core.events import Recorded
from agentrun.core.state import IllegalTransition, TaskState, apply
from agentrun.errors import Damaged
from agentrun.store import lock as locks
from agentrun.store.disk import Disk
from agentrun.store.journal import Journal
from agentrun.store.names import step_folder
from agentrun.store.record import LineCodec
from agentrun.store.recovery import Survey, survey
from agentrun.store.repair import keep_aside, repair
from agentrun.store.snapshots import SNAPSHOTS, SnapshotStore, TaskCheckpoint, is_due
from agentrun.store.values import BLOBS, ValueStore

WORKFLOW = "workflow.yaml"
LOGS = "logs"
STATE = "state"
FOLDERS = (BLOBS, SNAPSHOTS, LOGS, STATE)


class TaskStore:
    """A task held by this process. `repairs` says what had to be mended, for people: by recovery,
    and later where a damaged value was needed.
    """

    def __init__(
        self,
        disk: Disk,
        folder: str,
        *,
        state: TaskState,
        values: ValueStore,
        journal: Journal,
        lock: locks.TaskLock,
        snapshot_seq: int = 0,
        repairs: Sequence[str] = (),
    ) -> None:
        self.task_id, self.folder, self.state, self.values = (
            state.task_id,
            Path(folder),
            state,
            values,
        )
        self.repairs = tuple(repairs)
        self._disk, self._journal, self._lock = disk, journal, lock
        self._snapshots = SnapshotStore(folder, disk, state.task_id, values.secrets)
        self._snapshot_seq = snapshot_seq
        self._texts: tuple[str, bytes] | None = None
        self._tell: Callable[[str], None] | None = None
        values.on_mend = self._mended

    # --- the journal ----------------------------------------------------------------------------

    def append(self, records: Sequence[Recorded]) -> None:
        """Return when these events, and the values they name, are on disk."""
        self.values.sync_staged()
        self._journal.append(records)

    @property
    def seq(self) -> int:
        """Return the last seq that is on disk."""
        return self._journal.seq

    def snapshot(self, state: TaskState) -> None:
        """Write a snapshot of the state, which must be the one after the last durable event."""
        self._snapshots.write(state, self._journal.anchor())
        self._snapshot_seq = state.seq

    def maybe_snapshot(self, state: TaskState) -> bool:
        """Write a snapshot when enough has happened since the last; return whether it did."""
        if not is_due(state.seq, self._snapshot_seq):
            return False
        self.snapshot(state)
        return True

    # --- the workflow ---------------------------------------------------------------------------

    @property
    def workflow_text(self) -> bytes:
        """Return the definition the task is bound to, checked by its hash."""
        digest = self.state.workflow_sha256
        if self._texts is None or self._texts[0] != digest:
            self._texts = digest, bound_text(self._disk, str(self.folder), self.values, digest)
        return self._texts[1]

    @property
    def sources(self) -> dict[str, str]:
        """Return the pinned text of each sub-workflow, by path."""
        return source_texts(self.values, self.state.sources)

    def bind(self, text: bytes, sources: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Keep another definition; return the hashes for the event that binds the task to it."""
        digests = {path: self.values.put_text(source.encode()) for path, source in sources.items()}
        digest = self.values.put_text(text)
        self.values.sync_staged()
        return digest, digests

    def write_workflow(self) -> None:
        """Make `workflow.yaml` the definition the task is bound to now."""
        self._disk.replace(f"{self.folder}/{WORKFLOW}", self.workflow_text)

    # --- folders --------------------------------------------------------------------------------

    def log_path(self, step: str, attempt: int) -> Path:
        """Return where an attempt's output goes; the folder is made with its first byte."""
        return Path(f"{self.folder}/{LOGS}/{step_folder(step)}/{attempt}.log")

    def state_dir(self, step: str) -> Path:
        """Return the folder that a step keeps across attempts and resumes."""
        return Path(self._made(STATE, step))

    def _made(self, kind: str, step: str) -> str:
        path = str(self.folder)
        for part in (kind, *step_folder(step).split("/")):
            path = f"{path}/{part}"
            self._disk.make_folder(path)
        return path

    # --- repairs --------------------------------------------------------------------------------

    def tell_repairs(self, tell: Callable[[str], None]) -> None:
        """Tell of everything that was mended, and from now on of each repair when it is made."""
        for repaired in self.repairs:
            tell(repaired)
        self._tell = tell

    def _mended(self, what: str) -> None:
        self.repairs += (what,)
        if self._tell is not None:
            self._tell(what)

    # --- the end --------------------------------------------------------------------------------

    def clean_after_success(self) -> None:
        """Remove what a succeeded task needs no more: older snapshots and the steps' state."""
        self._snapshots.prune(1)
        self._disk.remove_folder(f"{self.folder}/{STATE}")

    def close(self) -> None:
        """Sync what is synced lazily, and let go of the task."""
        self.values.on_mend = None
        try:
            self._journal.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def no_collector() -> Iterator[None]:
    """Keep the garbage collector off while a state is built: it would look through all steps again
    and again, for a third of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@no_collector()
def open_task(disk: Disk, folder: str, task_id: str, secrets: Mapping[str, str]) -> TaskStore:
    """Lock, recover and replay a task."""
    lock = locks.acquire(disk, folder)
    try:
        _sweep(disk, folder)
        for name in (BLOBS, SNAPSHOTS, LOGS):
            disk.make_folder(f"{folder}/{name}")  # a person may have removed `snapshots/` whole
        values = ValueStore(folder, disk, secrets)
        codec = LineCodec(task_id, values.secrets.scrub)
        snapshots = SnapshotStore(folder, disk, task_id, values.secrets)
        checkpoint, known_seq = newest(snapshots, disk)
        anchors = [checkpoint.anchor] if checkpoint else []
        found = survey(disk, folder, codec, anchors, known_seq)
        repairs = repair(disk, found)
        disk.sync_folder(folder)  # a repair before this one may have ended between rename and sync
        state = folded(task_id, checkpoint, found)
        journal = Journal(disk, folder, codec, end=found.end, digest=found.digest)
        task = TaskStore(
            disk,
            folder,
            state=state,
            values=values,
            journal=journal,
            lock=lock,
            snapshot_seq=found.anchor.seq,
            repairs=repairs,
        )
        _mend_workflow(disk, task)
    except BaseException:
        lock.release()
        raise
    return task


def newest(snapshots: SnapshotStore, disk: Disk | None) -> tuple[TaskCheckpoint | None, int]:
    """Return the newest snapshot that is whole, and the highest seq that any of them claims.

    With a `disk`, damaged ones are put out of the way under another name.
    """
    known = snapshots.all()
    for found in known:
        checkpoint = snapshots.read(found)
        if checkpoint is not None:
            return checkpoint, known[0].seq
        if disk is not None:
            path = snapshots.path_of(found)
            disk.rename(path, f"{path}.damaged")
    return None, known[0].seq if known else 0


def folded(task_id: str, checkpoint: TaskCheckpoint | None, found: Survey) -> TaskState:
    """Return the state: the snapshot that the survey relied on, and all events after it."""
    relied_on = checkpoint is not None and found.anchor.seq == checkpoint.seq
    state = checkpoint.restored() if checkpoint and relied_on else TaskState(task_id)
    for recorded in found.records():
        try:
            apply(state, recorded)
        except IllegalTransition as error:
            message = f"{found.journal.path}: record {recorded.seq} can't follow: {error}"
            raise Damaged(message, "The journal was not written by agentrun.") from error
    return state


def bound_text(disk: Disk, folder: str, values: ValueStore, digest: str) -> bytes:
    """Return the workflow's text from `workflow.yaml`, or else from its blob."""
    data = disk.read(f"{folder}/{WORKFLOW}")
    if data is not None and sha256(data).hexdigest() == digest:
        return data
    return values.text(digest)


def source_texts(values: ValueStore, digests: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of sub-workflows."""
    return {path: values.text(digest).decode() for path, digest in digests.items()}


def _mend_workflow(disk: Disk, task: TaskStore) -> None:
    """Put the pinned definition back when `workflow.yaml` was edited, damaged or removed."""
    path = f"{task.folder}/{WORKFLOW}"
    data = disk.read(path)
    text = task.workflow_text
    if data == text:
        return
    if data is not None:
        keep_aside(disk, path, "damaged", data)
    disk.replace(path, text)
    task.repairs += (f"{WORKFLOW} was not the pinned definition and was put back",)


def _sweep(disk: Disk, folder: str) -> None:
    """Remove what writes that a crash cut off have left aside."""
    for below in ("", f"/{BLOBS}", f"/{SNAPSHOTS}"):
        for name in disk.names(folder + below):
            if name.startswith(".") and name.endswith(".new"):
                disk.remove(f"{folder}{below}/{name}")

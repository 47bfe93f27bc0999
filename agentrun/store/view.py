"""A task as it is on disk, read without a lock and without changing anything.

For `inspect`, `debug`, `list` and `fork`: works beside a live writer (a last line that is being
written is not damage then), and shows what is left of a damaged task instead of refusing it.
"""

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from agentrun.core.events import Recorded
from agentrun.core.state import TaskState, replay
from agentrun.errors import Damaged
from agentrun.store import host
from agentrun.store.disk import Disk
from agentrun.store.lock import Held, held_by
from agentrun.store.names import step_folder
from agentrun.store.record import Anchor, LineCodec, links
from agentrun.store.recovery import Finding, Loss, Survey, survey
from agentrun.store.snapshots import SnapshotStore, TaskCheckpoint
from agentrun.store.task import LOGS, bound_text, folded, newest, no_collector, source_texts
from agentrun.store.values import ValueStore


class TaskView:
    """What the folder of a task says. Everything is read when it is asked for, and once."""

    def __init__(
        self, disk: Disk, folder: str, task_id: str, secrets: Mapping[str, str] | None = None
    ) -> None:
        self.task_id, self.folder = task_id, Path(folder)
        self._disk, self._path = disk, folder
        self.values = ValueStore(folder, disk, secrets or {})
        self._snapshots = SnapshotStore(folder, disk, task_id, self.values.secrets)
        self._codec = LineCodec(task_id)

    @cached_property
    def checkpoint(self) -> TaskCheckpoint | None:
        """Return the newest snapshot that is whole."""
        return newest(self._snapshots, None)[0]

    @cached_property
    @no_collector()
    def state(self) -> TaskState:
        """Return the state after the last event, read from the snapshot and what came after."""
        return folded(self.task_id, *self._recent)

    @property
    def certain(self) -> bool:
        """Return whether the last event is surely on disk. A process that died before its sync, or
        whose sync failed, leaves lines that can be read and yet may be gone after a power cut; the
        mirror is written only after the sync, so what it holds is there.
        """
        _, found = self._recent
        return found.mirror.tail is not None and found.mirror.intact == sum(map(len, found.lines))

    @cached_property
    def _recent(self) -> tuple[TaskCheckpoint | None, Survey]:
        checkpoint, known_seq = newest(self._snapshots, None)
        anchors = [checkpoint.anchor] if checkpoint else []
        return checkpoint, survey(self._disk, self._path, self._codec, anchors, known_seq)

    @cached_property
    @no_collector()
    def records(self) -> list[Recorded]:
        """Return every event that is left, each of them checked."""
        return list(self._full.records())

    def state_at(self, seq: int) -> TaskState:
        """Return the state after event `seq`."""
        if seq == self.state.seq:
            return self.state
        return replay(self.task_id, self.records[:seq])

    def refuse_empty(self) -> None:
        """Raise Damaged when not even the first event is left, so that there is nothing to show."""
        if self.state.seq == 0:
            told = self.loss.told() if self.loss else f"{self.folder}: no event of the task is left"
            raise Damaged(f"{told}. Nothing was run and nothing was changed.")

    @property
    def findings(self) -> list[Finding]:
        """Return what was found out about the journal's two copies, good or bad."""
        return self._full.findings

    @property
    def loss(self) -> Loss | None:
        """Return which records are lost for good, if any."""
        return self._full.loss

    @cached_property
    def held(self) -> Held | None:
        """Return who took the task last."""
        return held_by(self._disk, self._path)

    @property
    def running(self) -> bool:
        """Return whether a live process holds the task."""
        return self.held is not None and host.is_alive(self.held.holder)

    @property
    def workflow_text(self) -> bytes:
        """Return the definition that the task is bound to."""
        return bound_text(self._disk, self._path, self.values, self.state.workflow_sha256)

    @property
    def sources(self) -> dict[str, str]:
        """Return the pinned text of each sub-workflow, by path."""
        return source_texts(self.values, self.state.sources)

    def log_path(self, step: str, attempt: int) -> Path:
        """Return where an attempt's output was written, if it was."""
        return Path(self._path, LOGS, step_folder(step), f"{attempt}.log")

    def anchor_at(self, seq: int) -> Anchor | None:
        """Return the place behind record `seq`, if that is left."""
        lines = self._full.lines
        if not 0 < seq <= len(lines):
            return None
        before = b"".join(lines[:seq])
        total = links(lines[seq - 1])[1].decode()
        return Anchor(seq, total, len(before), sha256(before).hexdigest())

    @cached_property
    def _full(self) -> Survey:
        known = self._snapshots.all()
        return survey(self._disk, self._path, self._codec, (), known[0].seq if known else 0)

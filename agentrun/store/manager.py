"""The checkpoint folder: makes, opens, finds and lists its tasks.

    checkpoints/<task-id>/       a task; appears complete or not at all: it is built under the name
                                 `.new-<task-id>-<pid>`, synced, then renamed
    checkpoints/.agentrun/       what tasks share (shared.py); that it exists also says that every
                                 folder above was synced after it was made

Owns which folders are trusted: one that is a symbolic link or belongs to somebody else is refused.
Cleaning is in cleaning.py, a file-by-file check in verify.py, forks in fork.py.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256

from agentrun.core.events import Recorded
from agentrun.core.state import replay
from agentrun.errors import StoreError, UsageError
from agentrun.store import lock as locks, names
from agentrun.store.disk import Disk
from agentrun.store.journal import JOURNAL, MIRROR, Journal
from agentrun.store.record import LineCodec
from agentrun.store.shared import SHARED, SharedFiles
from agentrun.store.summary import TaskSummary, summary_of
from agentrun.store.task import FOLDERS, WORKFLOW, TaskStore, open_task
from agentrun.store.values import ValueStore
from agentrun.store.view import TaskView

Root = str | os.PathLike[str]


class CheckpointManager:
    """The tasks under `root`. Nothing is made before the first task is."""

    def __init__(self, root: Root, disk: Disk | None = None) -> None:
        self.root = os.path.abspath(root)
        self.disk = disk or Disk()

    @property
    def shared(self) -> SharedFiles:
        """Return the files that all tasks of this folder share."""
        return SharedFiles(f"{self.root}/{SHARED}", self.disk, self._make_root)

    def new_task_id(self, workflow: str, now: float, draw: Callable[[], str]) -> str:
        """Return the id of a new task, one that no task has: `draw` gives its random part."""
        while True:
            task_id = names.new_task_id(workflow, now, draw())
            if self.disk.status(f"{self.root}/{task_id}") is None:
                return task_id

    def new_values(self, task_id: str, secrets: Mapping[str, str]) -> ValueStore:
        """Return the value store of a task that is to be created, to make its first event with."""
        if task_id == names.LATEST:
            raise UsageError(f"{task_id!r} is the word for the newest task, not the id of one.")
        return ValueStore(self._folder(task_id), self.disk.for_task(task_id), secrets)

    def create(
        self,
        task_id: str,
        workflow_text: bytes,
        sources: Mapping[str, str],
        first: Sequence[Recorded],
        secrets: Mapping[str, str] | None = None,
        *,
        values: ValueStore | None = None,
    ) -> TaskStore:
        """Make a task, held by this process, with its first events durable."""
        folder = self._folder(task_id)
        disk = self.disk.for_task(task_id)
        self._make_root()
        if disk.status(folder) is not None:
            raise self._exists(task_id)
        values = values or self.new_values(task_id, secrets or {})
        aside = f"{self.root}/.new-{task_id}-{os.getpid()}"
        disk.remove_folder(aside)
        with ExitStack() as undo:
            lock = _build(disk, aside, values, workflow_text, sources)
            undo.callback(lock.release)
            journal = _first_journal(disk, aside, task_id, values)
            journal.append(first)
            disk.sync_folder(aside)
            self._publish(disk, aside, folder)
            undo.pop_all()
        for part in (lock, journal, values):
            part.moved(folder)
        state = replay(task_id, first)
        return TaskStore(disk, folder, state=state, values=values, journal=journal, lock=lock)

    def open(self, task_id: str, secrets: Mapping[str, str] | None = None) -> TaskStore:
        """Lock a task, mend its files if a crash or damage asks for it, and replay it."""
        folder = self._existing(task_id)
        # The task's name may be visible and yet not on disk: a sync failed, or was not reached.
        self._make_root()
        self.disk.sync_folder(self.root)
        return open_task(self.disk.for_task(task_id), folder, task_id, secrets or {})

    def read(self, task_id: str, secrets: Mapping[str, str] | None = None) -> TaskView:
        """Return a task as it is on disk, without a lock; changes nothing."""
        folder = self._existing(task_id)
        return TaskView(self.disk.for_task(task_id), folder, task_id, secrets)

    def seems_succeeded(self, task_id: str) -> bool:
        """Return whether the last record that can be read is a success; it may not be durable."""
        summary = summary_of(self.disk, self._existing(task_id), task_id)
        return summary.status == "succeeded"

    def ids(self) -> list[str]:
        """Return the ids of all tasks, sorted."""
        self._check_root()
        return [name for name in self.disk.names(self.root) if names.is_task_id(name)]

    def list(self) -> Iterator[TaskSummary]:
        """Yield a summary of each task, by id."""
        for task_id in self.ids():
            folder = f"{self.root}/{task_id}"
            found = self.disk.status(folder)
            if found is not None and stat.S_ISDIR(found.st_mode):
                yield summary_of(self.disk, folder, task_id)

    def resolve(self, text: str) -> str:
        """Return the id that is meant: an exact one, a unique prefix, or `latest`."""
        known = self.ids()
        if text in known:
            return text
        if text == names.LATEST and known:
            return max(known, key=lambda task_id: (self.touched(task_id), task_id))
        found = [task_id for task_id in known if text and task_id.startswith(text)]
        if len(found) == 1:
            return found[0]
        shown = text[: names.MAX_ID]
        if found:
            raise UsageError(
                f"{shown!r} is the beginning of {len(found)} task ids: {', '.join(found[:5])}"
                + (", ..." if len(found) > 5 else ""),
                "Give more of it.",
                ["list"],
            )
        raise self._unknown(shown, known)

    # --- where tasks are ------------------------------------------------------------------------

    def _folder(self, task_id: str) -> str:
        return f"{self.root}/{names.checked_task_id(task_id)}"

    def _existing(self, task_id: str) -> str:
        folder = self._folder(task_id)
        self._check_root()
        found = self.disk.status(folder)
        if found is None:
            raise self._unknown(task_id, self.ids())
        _check_ours(folder, found)
        return folder

    def _make_root(self) -> None:
        self._check_root()
        shared = f"{self.root}/{SHARED}"
        if self.disk.status(shared) is None:
            self.disk.make_folders(self.root)
            self.disk.sync_above(self.root)
            self.disk.make_folder(shared)

    def _check_root(self) -> None:
        found = self.disk.status(self.root)
        if found is not None:
            _check_ours(self.root, found)

    def _publish(self, disk: Disk, aside: str, folder: str) -> None:
        """Give a finished task folder its name, unless another process was faster."""
        if not disk.rename_folder(aside, folder):
            disk.remove_folder(aside)
            raise self._exists(folder.rpartition("/")[2])
        disk.sync_folder(self.root)

    def touched(self, task_id: str) -> int:
        """Return when a task's journal was last written, in nanoseconds; 0 when there is none."""
        found = self.disk.status(f"{self.root}/{task_id}/{JOURNAL}")
        return found.st_mtime_ns if found else 0

    def size(self, task_id: str) -> int:
        """Return the bytes of a task's journal."""
        found = self.disk.status(f"{self.root}/{task_id}/{JOURNAL}")
        return found.st_size if found else 0

    def _exists(self, task_id: str) -> UsageError:
        return UsageError(
            f"There is a task {task_id} already.",
            f"Go on with it: agentrun resume {task_id}. Or choose another --task-id.",
            ["resume", task_id],
        )

    def _unknown(self, text: str, known: Sequence[str]) -> UsageError:
        if not known:
            return UsageError(
                f"There is no task {text!r}: {self.root} holds none.",
                "Is it another folder? Give it with --checkpoints DIR.",
            )
        close = names.near(text, known)
        if close:
            meant = f"Did you mean {' or '.join(close)}?"
        else:
            latest = max(known, key=lambda task_id: (self.touched(task_id), task_id))
            meant = f"The latest is {latest}."
        return UsageError(
            f"There is no task {text!r} in {self.root}.",
            f"{meant} See all of them: agentrun list",
            ["list"],
        )


def _build(
    disk: Disk, folder: str, values: ValueStore, workflow_text: bytes, sources: Mapping[str, str]
) -> locks.TaskLock:
    """Fill a new folder with everything but the journal's first lines."""
    disk.make_folder(folder)
    with ExitStack() as undo:
        lock = locks.acquire(disk, folder)
        undo.callback(lock.release)
        for name in FOLDERS:
            disk.make_folder(f"{folder}/{name}")
        disk.write_new(f"{folder}/{WORKFLOW}", workflow_text)
        values.moved(folder)
        for text in (workflow_text, *(source.encode() for source in sources.values())):
            values.put_text(text)
        values.sync_staged()
        for name in (JOURNAL, MIRROR):
            disk.create(f"{folder}/{name}").close()
        undo.pop_all()
    return lock


def _first_journal(disk: Disk, folder: str, task_id: str, values: ValueStore) -> Journal:
    codec = LineCodec(task_id, values.secrets.scrub)
    return Journal(disk, folder, codec, end=codec.start(), digest=sha256())


def _check_ours(path: str, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise StoreError(
            f"{path} is a symbolic link, which is not followed.",
            f"Name the folder itself: --checkpoints {os.path.realpath(path)}",
        )
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{path} is not a folder.", "Choose another with --checkpoints DIR.")
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"{path} belongs to user {found.st_uid}, not to you ({os.geteuid()}).",
            "Choose another with --checkpoints DIR, or make it yours with chown.",
        )

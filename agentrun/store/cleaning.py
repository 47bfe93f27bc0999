"""Removes tasks that are over: by age, by count, by status; never one that a process holds.

A task is removed under its lock and in two moves: renamed to `.trash-<id>-<pid>`, which takes it
out of sight at once, then emptied. What a crash leaves of that, or of a task that was being made,
is swept away by the next cleaning. What can be resumed (failed, paused, interrupted) goes only when
its status is named. Shared by `clean`, and by the retention of succeeded tasks.
"""

import os
from collections.abc import Collection, Iterator

from agentrun.errors import Locked
from agentrun.store import host, lock as locks, names
from agentrun.store.manager import CheckpointManager
from agentrun.store.summary import TaskSummary, summary_of

OVER = frozenset({"succeeded", "cancelled"})
"""Statuses that nothing goes on from. Others are removed only when they are named."""
TRASH, NEW = ".trash-", ".new-"


def selected(
    manager: CheckpointManager,
    *,
    statuses: Collection[str] = OVER,
    before: float | None = None,
    keep: int = 0,
    workflow: str | None = None,
) -> list[TaskSummary]:
    """Return the tasks that `clean` would remove, oldest first.

    `before`: last touched before this moment. `keep`: that many of the newest stay, per workflow.
    """
    found = [
        task
        for task in manager.list()
        if task.status in statuses and workflow in {None, task.workflow}
    ]
    found.sort(key=lambda task: task.updated or 0.0, reverse=True)
    kept: dict[str, int] = {}
    gone: list[TaskSummary] = []
    for task in found:
        kept[task.workflow] = kept.get(task.workflow, 0) + 1
        old_enough = before is None or (task.updated or 0.0) < before
        if kept[task.workflow] > keep and old_enough:
            gone.append(task)
    return gone[::-1]


def clean(manager: CheckpointManager, tasks: Collection[TaskSummary]) -> Iterator[TaskSummary]:
    """Remove these tasks; yield each that was removed. One that a process holds is left."""
    sweep(manager)
    for task in tasks:
        if remove(manager, task.task_id):
            yield task


def retain(manager: CheckpointManager, workflow: str, keep: int) -> list[str]:
    """Remove the oldest succeeded tasks of a workflow beyond `keep`; return their ids.

    Called after every success, so it looks only into folders that may be of this workflow: those
    whose id begins with its name, and those that a person named.
    """
    prefix = names.slug(workflow) + "-"
    ids = manager.ids()
    ours = [name for name in ids if name.startswith(prefix) or not names.is_made_up(name)]
    if len(ours) <= keep:
        return []
    tasks = [summary_of(manager.disk, f"{manager.root}/{name}", name) for name in ours]
    done = [task for task in tasks if (task.workflow, task.status) == (workflow, "succeeded")]
    done.sort(key=lambda task: task.updated or 0.0, reverse=True)
    return [task.task_id for task in done[keep:][::-1] if remove(manager, task.task_id)]


def remove(manager: CheckpointManager, task_id: str) -> bool:
    """Remove a task; return False, and leave it, when a process holds it or it is gone."""
    disk, folder = manager.disk, f"{manager.root}/{names.checked_task_id(task_id)}"
    if disk.status(folder) is None:
        return False
    try:
        lock = locks.acquire(disk, folder)
    except Locked:
        return False
    trash = f"{manager.root}/{TRASH}{task_id}-{os.getpid()}"
    try:
        disk.rename(folder, trash)
        disk.sync_folder(manager.root)
        disk.remove_folder(trash)
    finally:
        lock.release()
    return True


def sweep(manager: CheckpointManager) -> None:
    """Remove what processes that died while they made or removed a task have left."""
    for name in manager.disk.names(manager.root):
        pid = name.rpartition("-")[2]
        left = name.startswith((TRASH, NEW)) and pid.isdigit()
        if left and host.process_start_time(int(pid)) is None:
            manager.disk.remove_folder(f"{manager.root}/{name}")

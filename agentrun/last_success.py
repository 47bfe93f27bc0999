"""Finds the task in which a step last succeeded: for `debug`, to tell what differs since."""

from collections.abc import Iterator
from itertools import islice

from agentrun.errors import AgentrunError
from agentrun.store.manager import CheckpointManager
from agentrun.store.summary import summary_of
from agentrun.store.view import TaskView

LOOK_AT_TASKS = 20
LOOK_AT_BYTES = 8 << 20
"""No more of other tasks' journals is read than this: `debug` answers at once."""


class Successes:
    """The last successes of the steps of one task, in the tasks of its workflow before it."""

    def __init__(self, manager: CheckpointManager, view: TaskView) -> None:
        self._manager, self._view = manager, view
        self._read: list[TaskView] = []
        self._unread = islice(self._newest_first(), LOOK_AT_TASKS)

    def of(self, key: str) -> TaskView | None:
        """Return the newest task in which the step at `key` has succeeded, None when there is none
        among the last LOOK_AT_TASKS.
        """
        return next((each for each in self._tasks() if _has_succeeded(each, key)), None)

    def _tasks(self) -> Iterator[TaskView]:
        yield from list(self._read)
        for view in self._unread:
            self._read.append(view)
            yield view

    def _newest_first(self) -> Iterator[TaskView]:
        manager, own = self._manager, self._manager.touched(self._view.task_id)
        moments = {task_id: manager.touched(task_id) for task_id in manager.ids()}
        size = 0
        for task_id in sorted(moments, key=lambda each: (moments[each], each), reverse=True):
            if task_id == self._view.task_id or moments[task_id] > own:
                continue
            try:
                summary = summary_of(manager.disk, f"{manager.root}/{task_id}", task_id)
                if summary.workflow != self._view.state.workflow:
                    continue
                size += manager.size(task_id)
                if size > LOOK_AT_BYTES:
                    return
                view = manager.read(task_id)
                if view.state.seq:
                    yield view
            except AgentrunError:  # damaged: `inspect --verify` tells
                continue


def _has_succeeded(view: TaskView, key: str) -> bool:
    return view.state.step(key).status == "succeeded"

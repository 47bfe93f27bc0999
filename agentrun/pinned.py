"""The definition that a task is bound to, whatever became of the file it was read from."""

from functools import lru_cache
from pathlib import Path

from agentrun.core.model import Workflow
from agentrun.store.task import TaskStore
from agentrun.store.view import TaskView
from agentrun.workflow.cache import load_cached


@lru_cache(maxsize=2)
def pinned_workflow(task: TaskView | TaskStore) -> Workflow:
    """Return the definition that a task is bound to; read once for a task that is read or held."""
    return load_cached(Path(task.state.workflow_path), task.workflow_text, task.sources)

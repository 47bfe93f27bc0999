"""The definition that a task is bound to, whatever became of the file it was read from."""

from functools import lru_cache
from pathlib import Path

from agentrun.core.model import Workflow
from agentrun.store.view import TaskView
from agentrun.workflow.cache import load_cached


@lru_cache(maxsize=1)
def pinned_workflow(view: TaskView) -> Workflow:
    """Return the definition that a task is bound to; read once for a view of it."""
    return load_cached(Path(view.state.workflow_path), view.workflow_text, view.sources)

"""The definition that a task is bound to, whatever became of the file it was read from."""

from pathlib import Path

from agentrun.core.model import Workflow
from agentrun.store.view import TaskView
from agentrun.workflow.cache import load_cached


def pinned_workflow(view: TaskView) -> Workflow:
    """Return the definition that a task is bound to."""
    return load_cached(Path(view.state.workflow_path), view.workflow_text, view.sources)

"""The definition that a task is bound to, whatever became of the file it was read from."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from agentrun.core.model import Workflow
from agentrun.core.state import TaskState
from agentrun.store.task import TaskStore
from agentrun.store.view import TaskView
from agentrun.workflow.cache import load_cached


@lru_cache(maxsize=2)
def pinned_workflow(task: TaskView | TaskStore) -> Workflow:
    """Return the definition that a task is bound to; read once for a task that is read or held."""
    return load_cached(Path(task.state.workflow_path), task.workflow_text, task.sources)


def edited_since(state: TaskState, file: Path) -> Iterator[Path]:
    """Yield the files, of the definition that begins in `file`, that hold something else by now."""
    bound = {file: state.workflow_sha256}
    bound |= {file.parent / name: digest for name, digest in state.sources.items()}
    for path, digest in bound.items():
        try:
            if sha256(path.read_bytes()).hexdigest() != digest:
                yield path
        except OSError:
            continue

"""From a workflow file to a checked `Workflow`, or to all of its problems at once.

Owns the order of the work: YAML, models, steps, graph, names, sub-workflows, hashes. Each part is
in a file of its own; they share the `Findings` of the file.
"""

from collections.abc import Mapping
from pathlib import Path

from agentrun.core.model import Workflow
from agentrun.workflow.problems import InvalidWorkflow, Problem
from agentrun.workflow.reading import Reader, read_workflow
from agentrun.workflow.source_file import read_bytes

__all__ = ["check_file", "load_file", "load_text", "read_bytes"]


def load_file(path: Path) -> Workflow:
    """Return the workflow of a file and of the files it names. Raises InvalidWorkflow."""
    return load_text(read_bytes(path), path)


def load_text(text: bytes | str, path: Path, sources: Mapping[str, str] | None = None) -> Workflow:
    """Return the workflow of a text that stands, or stood, at `path`.

    With `sources` (`Workflow.sources` of an earlier load) sub-workflows come from these texts, as
    pinned, and nothing is read from disk.
    """
    workflow, problems = check_text(text, path, sources)
    if workflow is None:
        raise InvalidWorkflow([each for each in problems if each.severity == "error"])
    return workflow


def check_file(path: Path) -> tuple[Workflow | None, list[Problem]]:
    """Return the workflow (None when it has errors) and every problem, warnings included."""
    return check_text(read_bytes(path), path)


def check_text(
    text: bytes | str, path: Path, sources: Mapping[str, str] | None = None
) -> tuple[Workflow | None, list[Problem]]:
    """Return the workflow of a text (None when it has errors) and every problem."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    reader = Reader(root=path.parent, pinned=sources)
    workflow, problems = read_workflow(data, path, str(path), reader)
    return workflow, sorted(problems, key=lambda each: (each.line, each.column))

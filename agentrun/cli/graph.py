"""`agentrun graph`: a workflow drawn, with the states of a task when one is named."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentrun.cli import settings

if TYPE_CHECKING:
    from agentrun.core.model import Workflow

EXAMPLES = """
agentrun graph workflow.yaml
agentrun graph latest                                    # with the states of that task
agentrun graph workflow.yaml --format mermaid >> README.md
agentrun graph workflow.yaml --format dot | dot -Tsvg > workflow.svg
"""


def graph_command(
    target: Annotated[str, typer.Argument(metavar="FILE|ID", help="A workflow file, or a task.")],
    form: Annotated[
        Literal["terminal", "mermaid", "dot"], typer.Option("--format", help="How to draw.")
    ] = "terminal",
) -> int:
    """Draw a workflow: which step waits for which, and what can run at the same time.

    Given a task, it also shows the states of the steps. Nothing in the workflow is run.
    """
    from agentrun.report import screen
    from agentrun.workflow.drawing import draw

    workflow, states = _read(target)
    screen.stdout().write(draw(workflow, form, states))
    return 0


def _read(target: str) -> "tuple[Workflow, dict[str, str]]":
    """Return the workflow of a file, or of a task with the states of its steps."""
    from pathlib import Path

    from agentrun.workflow.cache import load_cached

    path = Path(target)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load_cached(path), {}
    from agentrun.cli.task_view import definition, open_view
    from agentrun.errors import UsageError

    view = open_view(settings.current(), target)
    workflow = definition(view)
    if workflow is None:
        raise UsageError(f"the workflow of the task {target} can't be read any more")
    return workflow, {key: str(step.status) for key, step in view.state.steps.items()}

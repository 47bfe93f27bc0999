"""`run --dry-run`: the steps in their order, rendered as far as it is known. Runs nothing."""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from agentrun.changes import resolved_inputs
from agentrun.cli.settings import Settings
from agentrun.core.model import Json, Step, Workflow
from agentrun.report import screen
from agentrun.report.dry_run_view import Planned, dry_run_lines, dry_run_object
from agentrun.report.result import write_json
from agentrun.workflow.cache import load_cached
from agentrun.workflow.expressions import ExpressionError, has_expression, references, render

if TYPE_CHECKING:
    from agentrun.requests import RunRequest

KNOWN_NAMES = frozenset({"inputs"})
"""What is known before anything has run; all else stays as it is written."""


def show(request: "RunRequest", settings: Settings) -> int:
    """Print what would run."""
    workflow = load_cached(request.file)
    inputs = resolved_inputs(workflow, request)
    missing = sorted(name for name in workflow.secrets if not os.environ.get(name))
    steps = list(planned(workflow, inputs))
    out = screen.stdout(color=settings.color)
    if settings.json:
        write_json(out, dry_run_object(workflow, inputs, steps, missing))
    else:
        out.lines(dry_run_lines(workflow, inputs, steps, missing, out))
    return 0


def planned(workflow: Workflow, inputs: Mapping[str, Json]) -> Iterator[Planned]:
    """Yield the steps; `wave` n can start when all of wave n-1 is done, at the latest."""
    scope = {"inputs": dict(inputs)}
    waves: dict[str, int] = {}
    for step in _in_order(workflow):
        waves[step.id] = 1 + max((waves[need] for need in step.needs), default=0)
        yield Planned(step, waves[step.id], rendered(dict(step.spec), scope))


def _in_order(workflow: Workflow) -> Iterator[Step]:
    """Yield steps after all that they need."""
    left = list(workflow.steps)
    done: set[str] = set()
    while left:
        ready = [step for step in left if done.issuperset(step.needs)]
        assert ready, "a loaded workflow has no cycle"
        yield from ready
        done.update(step.id for step in ready)
        left = [step for step in left if step.id not in done]


def rendered(value: Json, scope: Mapping[str, Json]) -> Json:
    """Render what needs nothing but inputs."""
    if isinstance(value, dict):
        return {key: rendered(each, scope) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(each, scope) for each in value]
    if not has_expression(value):
        return value
    try:
        names = {reference.name for reference in references(value)}
        return render(value, scope) if names <= KNOWN_NAMES else value
    except ExpressionError:
        return value

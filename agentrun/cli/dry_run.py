"""`run --dry-run`: the steps in their order, rendered as far as it is known. Runs nothing.

What a step will cost is told from what it has cost before (the run history of the checkpoint
folder); a step that has never run has no estimate.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from agentrun.changes import resolved_inputs
from agentrun.cli.settings import Settings
from agentrun.core.model import Json, Step, Workflow
from agentrun.recovery import history
from agentrun.report import screen
from agentrun.report.dry_run_view import Estimate, Planned, dry_run_lines, dry_run_object
from agentrun.report.result import write_json
from agentrun.steps import registry
from agentrun.store.manager import CheckpointManager
from agentrun.workflow.cache import load_cached
from agentrun.workflow.expressions import ExpressionError, has_expression, references_of, render
from agentrun.workflow.template import single, spans
from agentrun.workflow.text import text_of

if TYPE_CHECKING:
    from agentrun.requests import RunRequest

KNOWN_NAMES = frozenset({"inputs"})
"""What is known before anything has run; all else stays as it is written."""

Known = Mapping[str, history.StepHistory]


def show(request: "RunRequest", settings: Settings) -> int:
    """Print what would run."""
    workflow = load_cached(request.file)
    inputs = resolved_inputs(workflow, request)
    missing = sorted(name for name in workflow.secrets if not os.environ.get(name))
    past = history.read(CheckpointManager(request.root).shared)
    steps = list(planned(workflow, inputs, past, request.file.resolve().parent))
    out = screen.stdout(color=settings.color)
    if settings.json:
        write_json(out, dry_run_object(workflow, inputs, steps, missing))
    else:
        out.lines(dry_run_lines(workflow, inputs, steps, missing, out))
    return 0


def planned(
    workflow: Workflow,
    inputs: Mapping[str, Json] | None,
    past: Known,
    folder: Path,
    scope: str = "",
    first_wave: int = 1,
) -> Iterator[Planned]:
    """Yield the steps, those of sub-workflows behind the step that runs them. `wave` n can start
    when all of wave n-1 is done, at the latest. `inputs` None means that they are not known yet.
    """
    names: dict[str, Json] = {} if inputs is None else {"inputs": dict(inputs)}
    waves: dict[str, int] = {}
    for step in _in_order(workflow):
        wave = max((waves[need] + 1 for need in step.needs), default=first_wave)
        waves[step.id] = wave
        key = f"{scope}{step.id}"
        yield Planned(key, step, wave, _spec(step, names, folder), _estimate(step, past))
        if step.kind == "workflow":
            path = str(step.spec["path"])
            sub = workflow.subworkflows[path]
            given = _inputs_of(step, sub, names)
            below = (folder / path).parent
            yield from planned(sub, given, past, below, f"{key}/", wave)


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


def _spec(step: Step, names: Mapping[str, Json], folder: Path) -> dict[str, Json]:
    """Return what the step is given, without what it did not say."""
    unsaid = {
        each.name: each.default
        for each in fields(registry.get(step.kind).spec)
        if each.default is not MISSING
    }
    said = {key: value for key, value in step.spec.items() if unsaid.get(key, MISSING) != value}
    spec: dict[str, Json] = {key: rendered(value, names) for key, value in said.items()}
    if isinstance(spec.get("prompt_file"), str):
        spec["prompt"] = _prompt(folder / spec["prompt_file"], names, folder)
    if step.with_ is not None:
        spec["with"] = rendered(step.with_, names)
    return spec


def _prompt(path: Path, names: Mapping[str, Json], folder: Path) -> str:
    """Return a prompt file rendered, or as it is written when it needs more than inputs."""
    from agentrun.workflow.expressions import render_prompt

    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"({path} can't be read: {error})"
    try:
        return render_prompt(text, names, folder)
    except ExpressionError:
        return text


def _inputs_of(step: Step, sub: Workflow, names: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return the inputs of a sub-workflow where all of them are known."""
    given = rendered(step.with_ or {}, names)
    defaults = {name: each.default for name, each in sub.inputs.items() if not each.required}
    whole = {**defaults, **given}
    unknown = any("${{" in text_of(value) for value in whole.values())
    return None if unknown else whole


def rendered(value: Json, names: Mapping[str, Json]) -> Json:
    """Render each expression that needs nothing but inputs; the others stay as they are written."""
    if isinstance(value, dict):
        return {key: rendered(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(each, names) for each in value]
    if not has_expression(value):
        return value
    try:
        if single(value) is not None:
            return _worth(value, names)
        parts, at = [], 0
        for span in spans(value):
            parts += [value[at : span.start], text_of(_worth(value[span.start : span.end], names))]
            at = span.end
        return "".join([*parts, value[at:]])
    except ExpressionError:
        return value


def _worth(text: str, names: Mapping[str, Json]) -> Json:
    used = {each.name for span in spans(text) for each in references_of(span.source)}
    return render(text, names) if used <= KNOWN_NAMES & names.keys() else text


def _estimate(step: Step, past: Known) -> Estimate | None:
    """Return what the step took before: the median of its last successes."""
    runs = past.get(step.content_hash[: history.HASH_CHARS])
    if runs is None or not runs.seconds:
        return None
    usd = median(runs.usd) if runs.usd else None
    return Estimate(len(runs.seconds), round(median(runs.seconds), 3), usd)

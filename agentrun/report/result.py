"""What goes to stdout: the result and nothing else, or with `--json` one object about the task.

A string is written as text with one newline at its end, anything else as JSON: on one line for
programs, indented for people. On a terminal foreign text is made harmless; a pipe gets it as it is.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from agentrun.core.address import parent_loop
from agentrun.core.failure import Failure
from agentrun.core.model import Json, Workflow
from agentrun.core.outcome import Usage
from agentrun.core.spending import spending
from agentrun.core.state import StepState, TaskState
from agentrun.errors import AgentrunError
from agentrun.report import words
from agentrun.report.ending import told_failure, told_step
from agentrun.report.next_command import next_commands
from agentrun.report.screen import Screen
from agentrun.report.tally import Counts, count_all

MAX_ITEMS = 1000
"""How many items of `for_each` steps have entries of their own."""


def write_result(screen: Screen, outputs: Json) -> None:
    """Write a result."""
    if isinstance(outputs, str):
        text = words.safe(outputs) if screen.terminal else outputs
        screen.write(text.removesuffix("\n") + "\n")
    else:
        write_json(screen, outputs)


def write_json(screen: Screen, value: Json) -> None:
    """Write a value as JSON."""
    text = json_text(value, indent=2 if screen.terminal else None)
    screen.line(words.safe(text) if screen.terminal else text)


def json_text(value: Json, indent: int | None = None) -> str:
    """Return a value as JSON; a lone surrogate becomes an escape when it is encoded."""
    import json

    return json.dumps(value, indent=indent, ensure_ascii=False)


def task_object(
    state: TaskState,
    outputs: Json,
    *,
    exit_code: int,
    workflow: Workflow | None = None,
    folder_option: Sequence[str] = (),
) -> dict[str, Json]:
    """Return the object of `--json`."""
    return {
        "task_id": state.task_id,
        "workflow": state.workflow,
        "status": state.status,
        "exit_code": exit_code,
        "outputs": outputs,
        "error": error_object(state),
        "steps": steps_object(state, workflow),
        "usage": usage_object(state),
        "next": next_commands(state, folder_option)[0].command,
    }


def refusal_object(error: AgentrunError, command: str) -> dict[str, Json]:
    """Return the object of `--json` when agentrun itself refused or had to stop."""
    kind = "resource_conflict" if error.exit_code == 4 else "invalid_config"
    return {
        "task_id": error.task_id,
        "workflow": None,
        "status": "refused",
        "exit_code": error.exit_code,
        "outputs": None,
        "error": {
            "step": None,
            "category": "fatal",
            "kind": kind,
            "message": error.message,
            "hint": error.hint,
        },
        "steps": {},
        "usage": {},
        "next": command,
    }


def error_object(state: TaskState) -> Json:
    """Return the failure the ending is about, or null."""
    failure = told_failure(state)
    if failure is None:
        return None
    return {"step": told_step(state), **_failure_object(failure)}


def _failure_object(failure: Failure) -> dict[str, Json]:
    return {
        "category": str(failure.category),
        "kind": str(failure.kind),
        "message": failure.message,
        "hint": failure.hint,
    }


def usage_object(state: TaskState) -> dict[str, Json]:
    """Return what the task consumed. `usd` is a lower bound when `usd_unknown` is true, and null
    when no price at all is known.
    """
    return {
        "tokens": state.tokens,
        "usd": None if state.usd_unknown and not state.usd else round(state.usd, 6),
        "usd_unknown": state.usd_unknown,
        "retries": state.retries,
        "duration_s": round(state.active_s, 3),
    }


def steps_object(state: TaskState, workflow: Workflow | None) -> dict[str, Json]:
    """Return each step by its address, then the first MAX_ITEMS items and what is inside them. A
    `for_each` has the counts of its items, and counts all their attempts as its own. What a step
    used, with everything inside it, is included if it used anything.
    """
    loops = count_all(state)
    tries = _attempts_of_items(state)
    used = spending(state)
    inside = islice((key for key in state.steps if "[" in key), MAX_ITEMS)
    return {
        key: _step_object(state.step(key), loops.get(key), tries.get(key, 0), used.get(key))
        for key in (*step_keys(state, workflow), *inside)
    }


def _attempts_of_items(state: TaskState) -> Counter[str]:
    tries: Counter[str] = Counter()
    for key, step in state.steps.items():
        if loop := parent_loop(key):
            tries[loop] += step.attempts
    return tries


def step_keys(state: TaskState, workflow: Workflow | None) -> Iterator[str]:
    """Yield addresses in the order of the file, steps of sub-workflows behind their own; without a
    workflow in the order they began. Items, and what is inside of items, are left out.
    """
    begun = [key for key in state.steps if "[" not in key]
    top = [step.id for step in workflow.steps] if workflow else []
    inner: dict[str, list[str]] = {}
    for key in begun:
        inner.setdefault(key.partition("/")[0], []).append(key)
    for step_id in dict.fromkeys([*top, *inner]):
        yield step_id
        yield from (key for key in inner.get(step_id, ()) if key != step_id)


def _step_object(
    step: StepState, items: Counts | None, attempts_of_items: int, used: Usage | None
) -> Mapping[str, Json]:
    shown: dict[str, Json] = {
        "status": step.status,
        "attempts": step.attempts or attempts_of_items,
        "duration_s": round(duration_of(step), 3),
        "error": None,
    }
    if step.failure is not None and step.status != "succeeded":
        shown["error"] = _failure_object(step.failure)
    if items is not None:
        shown["items"] = items.as_json()
    if used is not None:
        shown["usage"] = used.as_json()
    return shown


def duration_of(step: StepState) -> float:
    """Return how long a step took: its attempts; without any of its own (a whole of items or steps,
    a `wait`, an `approval`) from its begin to its end.
    """
    if step.attempts and step.items is None and step.scope is None:
        return step.busy_s
    if step.started_at is None or step.ended_at is None:
        return 0.0
    return max(0.0, step.ended_at - step.started_at)

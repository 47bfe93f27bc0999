"""The names that an expression may use, as lazily read views of a task's state.

Owns what `inputs`, `steps.<id>.output`, `item`, `env`, `task`, `attempt`, `last_error` mean at one
moment of a task. Nothing is copied: an output is read from its blob when an expression asks for it.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from agentrun.core import address
from agentrun.core.model import Json, Workflow
from agentrun.core.spending import used_by
from agentrun.core.state import StepState, TaskState
from agentrun.core.value import Items, Value
from agentrun.workflow.expressions import has_expression, render, text_of

GetValue = Callable[[Value], Json]

_FIELDS = ("output", "status", "exit_code", "attempts", "error", "usage", "session")


class Outputs:
    """Reads the values of a task. The lists of a few `for_each` outputs are kept, since each of
    ten thousand items may ask for the same one.
    """

    def __init__(self, state: TaskState, get: GetValue, keep: int = 8) -> None:
        self._state = state
        self._get = get
        self._keep = keep
        self._lists: dict[tuple[str, float | None], Json] = {}

    def get(self, value: Value | None) -> Json:
        """Return a value that is not assembled from items."""
        return None if value is None else self._get(value)

    def conversation(self, step: StepState) -> Json:
        """Return the messages a step's agent exchanged so far; null when there are none."""
        parts = [self._get(part) for part in step.messages]
        if not any(isinstance(part, list) for part in parts):
            return None
        return [message for part in parts if isinstance(part, list) for message in part]

    def of_step(self, key: str, step: StepState) -> Json:
        """Return a step's output; null while it has none."""
        if step.output is None:
            return None
        if not isinstance(step.output, Items):
            return self._get(step.output)
        known = (key, step.ended_at)
        if known not in self._lists:
            self._remember(known, [self._item(key, index) for index in range(step.output.items)])
        return self._lists[known]

    def items_of(self, key: str, step: StepState) -> list[Json]:
        """Return the items of a `for_each`."""
        known = (f"{key}[]", step.started_at)
        if known not in self._lists:
            self._remember(known, self.get(step.items))
        found = self._lists[known]
        return found if isinstance(found, list) else []

    def used(self, key: str, step: StepState) -> Json:
        """Return what a step has used, with all that is inside of it; null when it is nothing."""
        if step.items is None and step.scope is None:
            return None if step.usage is None else step.usage.as_json()
        known = (f"{key}.usage", step.ended_at)
        if known not in self._lists or step.ended_at is None:
            usage = used_by(self._state, key)
            self._remember(known, None if usage is None else usage.as_json())
        return self._lists[known]

    def of_items(self, key: str, step: StepState, name: str) -> list[Json]:
        """Return what the items of a `for_each` offer under a name, in item order."""
        items = (address.item(key, index) for index in range(step.count))
        views = (StepView(item, self._state.step(item), self) for item in items)
        return [view.get(name) for view in views]

    def _item(self, key: str, index: int) -> Json:
        child = self._state.steps.get(address.item(key, index))
        return None if child is None else self.of_step(address.item(key, index), child)

    def _remember(self, known: tuple[str, float | None], value: Json) -> None:
        while len(self._lists) >= self._keep:
            self._lists.pop(next(iter(self._lists)))
        self._lists[known] = value


class Names(Mapping[str, Any]):
    """Names that are put together when the first of them is asked for: most steps ask for none."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make
        self._made: Mapping[str, Any] | None = None

    def _names(self) -> Mapping[str, Any]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> Any:
        return self._names()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


class StepView(Mapping[str, Any]):
    """`steps.<id>`: the fields of SPEC, and what the kind offers beside them (`headers` of http).

    For an http step `status` is the HTTP status once there is one, as the table of kinds says. Of a
    `for_each`, as its output is the list of outputs, `session` and what the kind offers are lists
    in item order; what it used is a sum.
    """

    __slots__ = ("_extra", "_key", "_outputs", "_step")

    def __init__(self, key: str, step: StepState, outputs: Outputs) -> None:
        self._key, self._step, self._outputs = key, step, outputs
        self._extra: Json = None

    def __getitem__(self, name: str) -> Json:
        extra = self._read_extra()
        if name in extra:
            return extra[name]
        step = self._step
        match name:
            case "output":
                return self._outputs.of_step(self._key, step)
            case "error":
                return None if step.failure is None else msgspec.to_builtins(step.failure)
            case "usage":
                return self._outputs.used(self._key, step)
            case "status" | "exit_code" | "attempts":
                return getattr(step, name)
            case _ if step.items is not None:
                return self._outputs.of_items(self._key, step, name)
            case "session":
                return step.session
            case _:
                raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(_FIELDS), **self._read_extra()})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _read_extra(self) -> dict[str, Json]:
        if self._step.extra is None:
            return {}
        if self._extra is None:
            self._extra = self._outputs.get(self._step.extra)
        return self._extra if isinstance(self._extra, dict) else {}


class StepsView(Mapping[str, StepView]):
    """`steps`: the steps of one workflow being run."""

    __slots__ = ("_outputs", "_scope", "_state", "_workflow")

    def __init__(self, workflow: Workflow, scope: str, state: TaskState, outputs: Outputs) -> None:
        self._workflow, self._scope, self._state, self._outputs = workflow, scope, state, outputs

    def __getitem__(self, step_id: str) -> StepView:
        key = address.inside(self._scope, step_id)
        step = self._state.steps.get(key)
        if step is None:
            if all(each.id != step_id for each in self._workflow.steps):
                raise KeyError(step_id)
            step = StepState()
        return StepView(key, step, self._outputs)

    def __iter__(self) -> Iterator[str]:
        return (step.id for step in self._workflow.steps)

    def __len__(self) -> int:
        return len(self._workflow.steps)


def names(
    key: str,
    workflow: Workflow,
    state: TaskState,
    outputs: Outputs,
    env: Mapping[str, str],
) -> dict[str, Any]:
    """Return what expressions of the step (or item) at `key` may use. `workflow` is its own; what
    it declares under `env` stands before the environment of this process, `env`.

    For "" it is what the workflow's `outputs` may use.
    """
    scope = address.parent_scope(key)
    inputs = state.inputs if not scope else _scope_of(state, scope)
    found: dict[str, Any] = {
        "inputs": outputs.get(inputs) or {},
        "steps": StepsView(workflow, scope, state, outputs),
        "env": env,
        "task": {"id": state.task_id},
        "always": lambda: True,
        "failed": lambda step_id=None: _any_failed(state, workflow, scope, step_id),
        "succeeded": lambda step_id: _status(state, scope, step_id) == "succeeded",
    }
    loop = address.parent_loop(key)
    if loop is not None:
        index = address.item_index(key) or 0
        step = next(each for each in workflow.steps if each.id == address.step_id(key))
        value = outputs.items_of(loop, state.step(loop))[index]
        found |= {"item": value, step.as_: value, "index": index}
    if workflow.env:
        found["env"] = {**env, **rendered_env(workflow.env, found)}
    return found


def rendered_env(env: Mapping[str, str], scope: Mapping[str, Any]) -> dict[str, str]:
    """Return declared environment variables as a process gets them."""
    return {
        name: text_of(render(value, scope)) if has_expression(value) else value
        for name, value in env.items()
    }


def attempt_names(key: str, step: StepState, number: int, idempotency_key: str) -> dict[str, Any]:
    """Return the names that only an attempt has."""
    failure = None if step.failure is None else msgspec.to_builtins(step.failure)
    return {
        "attempt": {"number": number, "key": idempotency_key, "step": key, "round": step.round},
        "last_error": failure,
    }


def idempotency_key_of(task: TaskState, key: str) -> str:
    """Return the key that is the same on every attempt of a step, item and round, and new after a
    reset or a fork. A reset or a round of what holds the step counts too.
    """
    state = task.step(key)
    text = f"{task.task_id}\n{key}\n{state.generation}\n{state.round}"
    for holder in address.ancestors(key):
        around = task.step(holder)
        if around.generation or around.round > 1:
            text += f"\n{holder}\n{around.generation}\n{around.round}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _scope_of(state: TaskState, scope: str) -> Value | None:
    opened = state.step(scope).scope
    return None if opened is None else opened.inputs


def _status(state: TaskState, scope: str, step_id: str) -> str:
    return state.step(address.inside(scope, step_id)).status


def _any_failed(state: TaskState, workflow: Workflow, scope: str, step_id: str | None) -> bool:
    ids = [each.id for each in workflow.steps] if step_id is None else [step_id]
    return any(_status(state, scope, each) == "failed" for each in ids)

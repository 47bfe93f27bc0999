"""What a person's change makes stale: exactly the steps that depend on it.

Owns the way from `resume --from/--set/--workflow/--retry/--skip/--answer` to events. Pure: it reads
a workflow and a state and names the steps to forget, to grant, to skip.
"""

from collections.abc import Container, Iterable, Iterator, Mapping

from msgspec import Struct, structs

from agentrun.core import address, events as ev
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.spending import used_by
from agentrun.core.state import StepState, TaskState
from agentrun.errors import UsageError
from agentrun.workflow.expressions import references
from agentrun.workflow.hints import closest

ANY_INPUT = "*"
"""Stands for all inputs, where it can't be told which are used."""

WITHOUT_ENV = frozenset({"http", "workflow", "approval", "wait"})

CALL = (
    "kind", "spec", "if_", "for_each", "as_", "until", "max_rounds", "checks", "output", "env",
    "cwd", "with_",
)  # fmt: skip
"""What decides how a sub-workflow is called, as in workflow/identity.py."""


class Row(Struct, frozen=True):
    """What a resume does with a step, and why. The savings are what the reuse is worth."""

    step: str
    action: str
    why: str
    usd: float | None = None
    tokens: int = 0
    seconds: float = 0.0


def workflow_at(workflow: Workflow, state: TaskState, scope: str) -> Workflow | None:
    """Return the definition of the sub-workflow opened at `scope` ("" is the task's own)."""
    if not scope:
        return workflow
    outer = workflow_at(workflow, state, address.parent_scope(scope))
    opened = state.step(scope).scope
    return None if outer is None or opened is None else outer.subworkflows.get(opened.path)


def definition(workflow: Workflow, state: TaskState, key: str) -> Step:
    """Return the definition of the step a person named. Raises UsageError with near ones."""
    inside = workflow_at(workflow, state, address.parent_scope(key))
    ids = {} if inside is None else {step.id: step for step in inside.steps}
    step = ids.get(address.step_id(key)) if address.is_address(key) else None
    index = address.item_index(key) if step is not None else None
    if step is None or (index is not None and index >= state.step(key[: key.rindex("[")]).count):
        near = closest(key, [*ids, *state.steps])
        hint = f"did you mean {near}?" if near else f"the steps are: {', '.join(ids)}"
        raise UsageError(f"the task {state.task_id} has no step {key!r}", hint)
    return step


def descendants(workflow: Workflow, ids: Iterable[str]) -> list[str]:
    """Return the steps that need any of these, directly or not, in the order of the file.

    That order may be any: with `needs` a step may stand above what it waits for.
    """
    dependents: dict[str, list[str]] = {}
    for step in workflow.steps:
        for need in step.needs:
            dependents.setdefault(need, []).append(step.id)
    start = set(ids)
    below: set[str] = set()
    todo = list(start)
    while todo:
        found = [each for each in dependents.get(todo.pop(), ()) if each not in below]
        below.update(found)
        todo += found
    below -= start
    return [step.id for step in workflow.steps if step.id in below]


def stale_after(workflow: Workflow, state: TaskState, keys: Iterable[str]) -> list[str]:
    """Return these steps and everything downstream of them, also outside the sub-workflow or the
    `for_each` that holds them.
    """
    found: dict[str, None] = {}
    for key in keys:
        found[key] = None
        for holder in (key, *address.ancestors(key)):
            if address.parent_loop(holder) is not None:
                continue
            scope = address.parent_scope(holder)
            inside = workflow_at(workflow, state, scope)
            if inside is not None:
                below = descendants(inside, [address.step_id(holder)])
                found |= dict.fromkeys(address.inside(scope, each) for each in below)
    return list(found)


def users_of_inputs(workflow: Workflow, names: Iterable[str]) -> list[str]:
    """Return the steps whose definition refers to any of these inputs, or may do so unseen."""
    wanted = {*names, ANY_INPUT}
    env_changes = not wanted.isdisjoint(_inputs_in(dict(workflow.env)))
    return [
        step.id
        for step in workflow.steps
        if not wanted.isdisjoint(_inputs_of(step)) or (env_changes and _has_env(step))
    ]


def _inputs_of(step: Step) -> Iterator[str]:
    conditions = [each for each in (step.if_, step.until) if each is not None]
    texts: list[Json] = [each if "${{" in each else f"${{{{ {each} }}}}" for each in conditions]
    texts += [step.spec, step.with_, step.for_each, step.stdin, step.cwd]
    texts += [list(step.checks), dict(step.env), [[way.spec, way.with_] for way in step.fallback]]
    texts += [[remedy.run for remedy in step.remedies]]
    yield from _inputs_in(texts)
    if any(way.get("prompt_file") for way in (step.spec, *(each.spec for each in step.fallback))):
        yield ANY_INPUT  # what the file uses is known when it is read


def _inputs_in(value: Json) -> Iterator[str]:
    for reference in references(value):
        if reference.name == "inputs":
            yield str(reference.path[0]) if reference.path else ANY_INPUT


def _has_env(step: Step) -> bool:
    """Return whether the workflow's `env` reaches anything that the step runs."""
    kinds = {step.kind, *(way.kind for way in step.fallback)}
    return bool(kinds - WITHOUT_ENV) or bool(step.checks)


def reset(workflow: Workflow, state: TaskState, keys: Iterable[str], reason: str) -> list[ev.Event]:
    """Return the events that make these steps and their descendants run again."""
    known = [key for key in stale_after(workflow, state, keys) if key in state.steps]
    return [ev.StepsReset(tuple(known), reason)] if known else []


def granted(state: TaskState, but: Container[str] = ()) -> list[ev.Event]:
    """Return the event that gives what failed, was parked or cancelled a fresh set of attempts."""
    keys = tuple(k for k, step in state.steps.items() if k not in but and _needs_a_grant(step))
    blocked = any(step.status == "blocked" for step in state.steps.values())
    return [ev.AttemptsGranted(keys)] if keys or blocked else []


def retried(state: TaskState, key: str) -> list[ev.Event]:
    """Return the events of `--retry STEP` for a step that has not succeeded."""
    holders = [k for k in address.ancestors(key) if state.step(k).gave_up]
    return [ev.AttemptsGranted((key, *holders))]


def skipped(state: TaskState, key: str) -> list[ev.Event]:
    """Return the events of `--skip STEP`."""
    if state.step(key).status == "succeeded":
        raise UsageError(f"{key} has succeeded: there is nothing to skip", "leave it out")
    holders = tuple(k for k in address.ancestors(key) if state.step(k).gave_up)
    blocked = any(step.status == "blocked" for step in state.steps.values())
    opened: list[ev.Event] = [ev.AttemptsGranted(holders)] if holders or blocked else []
    return [*opened, ev.StepSkipped(key, "skipped by a person")]


def answered(state: TaskState, key: str, answer: str, by: str, digest: str = "") -> list[ev.Event]:
    """Return the events of `--answer STEP=VALUE`. `digest` is that of the question answered."""
    step = state.step(key)
    if step.waiting == "approval" and step.approval is not None:
        if digest and digest != step.approval.digest:
            raise UsageError(
                f"{key} asks something else by now: {step.approval.message}", "answer it again"
            )
        if answer not in step.approval.options:
            options = ", ".join(step.approval.options)
            raise UsageError(
                f"{key} can't be answered with {answer!r}", f"choose one of: {options}"
            )
        return [ev.StepAnswered(key, answer, by)]
    if step.waiting == "person":
        if answer not in {"retry", "skip", "fail"}:
            raise UsageError(f"{key} can't be answered with {answer!r}", "retry, skip or fail")
        return [ev.StepAnswered(key, answer, by)]
    waiting = [k for k, s in state.steps.items() if s.waiting in {"approval", "person"}]
    hint = f"these do: {', '.join(waiting)}" if waiting else "no step of the task waits for one"
    raise UsageError(f"{key} waits for no answer", hint)


class Rebinding(Struct, frozen=True):
    """What another definition means for a task: the steps to forget (changed, gone, or downstream
    of one), the sub-workflows to conclude again, and per step of the new one why it is reused or
    runs. `differs` is False when the two do the same.
    """

    stale: tuple[str, ...]
    reopened: tuple[str, ...]
    why: Mapping[str, str]
    differs: bool


def rebound(old: Workflow, new: Workflow, state: TaskState, scope: str = "") -> Rebinding:
    """Compare two definitions by what their steps do, also inside of sub-workflows."""
    before = {step.id: step for step in old.steps}
    inner: dict[str, list[Rebinding]] = {}
    changed: list[str] = []
    for step in new.steps:
        if _content(before.get(step.id)) == step.content_hash:
            continue
        found = _rebound_inside(before.get(step.id), step, old, new, state, scope)
        if found is None:
            changed.append(step.id)
        elif any(part.differs for part in found):
            inner[step.id] = found
    # A new step makes nothing stale by its place: what uses it has changed itself.
    below = descendants(new, [each for each in changed if each in before])
    after_inner = descendants(new, inner)
    gone = [step_id for step_id in before if step_id not in {step.id for step in new.steps}]
    whole = dict.fromkeys([*changed, *below, *after_inner, *gone])
    stale = [key for each in whole if (key := address.inside(scope, each)) in state.steps]
    reopened: list[str] = []
    why = {step.id: "its definition is the same" for step in new.steps}
    why |= dict.fromkeys([*below, *after_inner], "it is downstream of a changed step")
    for step_id, parts in inner.items():
        if step_id in whole:
            continue
        stale += [key for part in parts for key in part.stale]
        reopened += [key for part in parts for key in part.reopened]
        why[step_id] = "a part of its sub-workflow has changed"
    why |= {i: "its definition has changed" if i in before else "it is new" for i in changed}
    differs = bool(changed or inner or gone) or old.outputs != new.outputs
    return Rebinding(tuple(stale), tuple(reopened), why, differs)


def _rebound_inside(
    before: Step | None,
    after: Step,
    old: Workflow,
    new: Workflow,
    state: TaskState,
    scope: str,
) -> list[Rebinding] | None:
    """Compare what a sub-workflow was and is, for each time that it was opened. None when the step
    itself has changed.
    """
    if before is None or before.kind != "workflow" or not _same_call(before, after):
        return None
    path = str(after.spec["path"])
    was, now = old.subworkflows[path], new.subworkflows[path]
    if was.inputs != now.inputs:
        return None
    key = address.inside(scope, after.id)
    opened = [k for k in _instances(key, state) if state.step(k).scope is not None]
    if not opened:
        return None
    parts = [(each, rebound(was, now, state, each)) for each in opened]
    return [structs.replace(part, reopened=(*part.reopened, each)) for each, part in parts]


def _same_call(before: Step, after: Step) -> bool:
    """Return whether two steps call a sub-workflow in the same way."""
    return all(getattr(before, each) == getattr(after, each) for each in CALL)


def _instances(key: str, state: TaskState) -> list[str]:
    return [key, *(address.item(key, index) for index in range(state.step(key).count))]


def rows(workflow: Workflow, state: TaskState, why: Mapping[str, str]) -> list[Row]:
    """Return what a resume from this state does with each step of the workflow."""
    return [_row(step, workflow, state, why.get(step.id)) for step in workflow.steps]


def _row(step: Step, workflow: Workflow, task: TaskState, why: str | None) -> Row:
    state = task.step(step.id)
    if state.status in {"succeeded", "skipped"}:
        whole = [state, *(s for k, s in task.steps.items() if address.under(k, step.id))]
        used = used_by(task, step.id)
        return Row(
            step.id,
            "reuse",
            why or f"it has {state.status}",
            usd=None if used is None else used.usd,
            tokens=0 if used is None else used.tokens,
            seconds=round(sum(each.busy_s for each in whole), 3),
        )
    if state.count:
        done = sum(task.step(address.item(step.id, i)).settled for i in range(state.count))
        return Row(step.id, "run", f"{done} of {state.count} items are done")
    if state.scope is not None:
        inner = [s for k, s in task.steps.items() if address.parent_scope(k) == step.id]
        done, total = (
            sum(s.settled for s in inner),
            len(workflow.subworkflows[state.scope.path].steps),
        )
        return Row(step.id, "run", why or f"{done} of its {total} steps are done")
    if state.attempts:
        end = "ended" if state.failure is None else "failed"
        if state.status == "interrupted":
            end = "was interrupted"
        return Row(step.id, "run", why or f"attempt {state.attempts} {end}")
    return Row(step.id, "run", why or "it has not begun")


def _content(step: Step | None) -> str | None:
    return None if step is None else step.content_hash


def _needs_a_grant(step: StepState) -> bool:
    gave_up = step.gave_up and not step.continued
    return gave_up or step.waiting == "parked" or step.status == "cancelled"

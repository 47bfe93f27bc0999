"""Where stubs come from: a file, a task that was run before, and `--inject` on the command line.

Owns their reading and checking: every name must be a step of the workflow, every fault one that
agentrun knows. Raises UsageError for all that is wrong with them. What they do is runner/stub.py's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agentrun.core import events as ev
from agentrun.core.failure import Kind
from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import TaskState
from agentrun.errors import UsageError
from agentrun.requests import StubRequest
from agentrun.runner.names import Outputs
from agentrun.runner.stub import Fault, Stub, Stubs
from agentrun.store.manager import CheckpointManager
from agentrun.store.view import TaskView
from agentrun.workflow.hints import closest

MARK = "stubbed: "
"""How the warning begins that marks a task of which not everything is real."""
NONE = "none"
"""`--stub none`: go on with a stubbed task for real."""
MAX_TIMES = 1000
_WRITTEN_OUT = frozenset({"output", "failure", "times", "exit_code"})
_FAULT_KEYS = frozenset({"kind", "status", "message", "exit_code"})
_INJECT = re.compile(r"(?P<what>[A-Za-z_]+|\d{3})(?:x(?P<times>\d{1,4}))?")
_NOT_PERFORMED = frozenset({"workflow", "approval", "wait"})


def read_stubs(asked: StubRequest, workflow: Workflow, manager: CheckpointManager) -> Stubs:
    """Return the stubs that the command line asks for."""
    known = dict(_addresses(workflow))
    steps: dict[str, Stub] = {}
    if asked.source is not None and asked.source != NONE:
        path = Path(asked.source)
        from_file = path.is_file()
        steps = _of_file(path) if from_file else _of_task(asked.source, manager)
        if from_file:
            for name, stub in steps.items():
                _check_name(name, known, asked.source)
                _check_answer(name, stub, known[_plain(name)], asked.source)
    faults = dict(_injected(each, known) for each in asked.inject)
    return Stubs(steps, faults, asked.source or "")


def mark(stubs: Stubs) -> str:
    """Return the warning that marks a task as stubbed."""
    parts = [f"outputs from {stubs.source}"] if stubs.steps else []
    parts += [f"faults injected into {', '.join(stubs.faults)}"] if stubs.faults else []
    return MARK + "; ".join(parts)


def is_stubbed(state: TaskState) -> bool:
    """Return whether the task was run with stubs or injected faults."""
    return any(warning.startswith(MARK) for warning in state.warnings)


def was_stubbed(records: Iterable[ev.Recorded]) -> bool:
    """Return whether anything in these records was made up."""
    events = (recorded.event for recorded in records)
    return any(isinstance(each, ev.Warned) and each.message.startswith(MARK) for each in events)


def _addresses(workflow: Workflow, scope: str = "") -> Iterator[tuple[str, Step]]:
    """Yield every step's address, without the indices of items."""
    for step in workflow.steps:
        key = f"{scope}{step.id}"
        yield key, step
        if step.kind == "workflow":
            yield from _addresses(workflow.subworkflows[str(step.spec["path"])], f"{key}/")


def _plain(name: str) -> str:
    return re.sub(r"\[\d+\]", "", name)


def _check_name(name: str, known: Mapping[str, Step], where: str) -> None:
    if _plain(name) in known:
        return
    near = closest(name, known)
    hint = f"did you mean {near}?" if near else f"its steps are: {', '.join(known)}"
    raise UsageError(f"{where}: the workflow has no step {name!r}", hint)


def _check_answer(name: str, stub: Stub, step: Step, where: str) -> None:
    """Refuse an answer that is none of the options of an approval, where these are known."""
    options = step.spec.get("options")
    if step.kind != "approval" or not isinstance(options, list | tuple) or stub.fault is not None:
        return
    texts = [str(option) for option in options]
    if any("${{" in text for text in texts) or str(stub.output) in texts:
        return
    raise UsageError(
        f"{where}: {name} can't be answered with {stub.output!r}", f"one of: {', '.join(texts)}"
    )


# --- a file ---------------------------------------------------------------------------------------


def _of_file(path: Path) -> dict[str, Stub]:
    from agentrun.workflow.problems import InvalidWorkflow
    from agentrun.workflow.source_file import read_bytes
    from agentrun.workflow.yaml_builder import Unreadable
    from agentrun.workflow.yaml_source import decode, parse

    try:
        source, problems = parse(decode(read_bytes(path)), str(path))
    except Unreadable as error:
        raise UsageError(f"{path}: line {error.line}: {error.message}", error.hint) from None
    if source is None or problems:
        raise InvalidWorkflow(problems)
    if not isinstance(source.data, dict):
        raise UsageError(f"{path}: stubs are a mapping of steps to outputs", "label: {label: bug}")
    return {str(name): _stub(value, f"{path}: {name}") for name, value in source.data.items()}


def _stub(value: Json, where: str) -> Stub:
    """Read one entry: a mapping of nothing but our words is written out, all else is an output."""
    if not isinstance(value, dict) or not value or not value.keys() <= _WRITTEN_OUT:
        return Stub(value)
    if "output" not in value and "failure" not in value:
        return Stub(value)
    times = value.get("times", 0)
    if not isinstance(times, int) or not 0 <= times <= MAX_TIMES:
        raise UsageError(f"{where}: `times` must be a number up to {MAX_TIMES}")
    if times and "output" not in value:
        raise UsageError(f"{where}: what does it bring after failing {times} times?", "output: ...")
    fault = None if "failure" not in value else _fault(value["failure"], where)
    return Stub(value.get("output"), value.get("exit_code"), fault=fault, times=times)


def _fault(value: Any, where: str) -> Fault:
    if isinstance(value, dict):
        unknown = sorted(value.keys() - _FAULT_KEYS)
        if unknown:
            raise UsageError(f"{where}: a failure has no `{unknown[0]}`", "kind, status, message")
        named = value.get("status", value.get("kind", "unknown"))
        base = _fault(named, where)
        exit_code = value.get("exit_code")
        return Fault(base.kind, base.status, str(value.get("message", "")), exit_code)
    text = str(value)
    if text.isascii() and text.isdigit():
        if not 400 <= int(text) <= 599:
            raise UsageError(f"{where}: {text} is no HTTP status of a failure", "400 to 599")
        return Fault(status=int(text))
    try:
        return Fault(kind=Kind(text))
    except ValueError:
        near = closest(text, [kind.value for kind in Kind])
        kinds = ", ".join(kind.value for kind in Kind)
        hint = f"did you mean {near}?" if near else f"an HTTP status, or one of: {kinds}"
        raise UsageError(f"{where}: there is no kind of failure {text!r}", hint) from None


# --- a task ---------------------------------------------------------------------------------------


def _of_task(task: str, manager: CheckpointManager) -> dict[str, Stub]:
    """Return what the steps of a task brought; those that brought nothing are not stubbed."""
    try:
        task_id = manager.resolve(task)
    except UsageError as error:
        raise UsageError(f"--stub {task}: there is no such file, and {error.message}") from None
    view = manager.read(task_id)
    return {
        key: _recorded(key, view)
        for key, step in view.state.steps.items()
        if step.status == "succeeded" and step.items is None and step.scope is None
    }


def _recorded(key: str, view: TaskView) -> Stub:
    step = view.state.step(key)
    outputs = Outputs(view.state, view.values.masked)
    extra = outputs.get(step.extra)
    return Stub(
        outputs.of_step(key, step),
        step.exit_code,
        extra=extra if isinstance(extra, dict) else None,
        final=True,
    )


# --- --inject -------------------------------------------------------------------------------------


def _injected(text: str, known: Mapping[str, Step]) -> tuple[str, tuple[Fault, int]]:
    """Read `STEP=FAULT[xN]`."""
    where = f"--inject {text}"
    name, equals, said = text.partition("=")
    match = _INJECT.fullmatch(said)
    if not equals or match is None:
        raise UsageError(f"{where}: not STEP=FAULT[xTIMES]", "e.g. label=429x2, fetch=timeout")
    _check_name(name, known, where)
    kind = known[_plain(name)].kind
    if kind in _NOT_PERFORMED:
        hint = f"inject into its steps: {name}/..." if kind == "workflow" else "stub it instead"
        raise UsageError(f"{where}: {name} is a `{kind}` and has no attempts of its own", hint)
    return name, (_fault(match["what"], where), int(match["times"] or 1))

"""Reads one file, and through `workflow:` steps the files below it.

Owns the assembly of a `Workflow` from its checked parts, and the bounds on sub-workflows: a file
that leads back to itself is refused, and so is nesting beyond a small depth.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import structs
from pydantic import ValidationError

from agentrun.core import model as core
from agentrun.steps import registry
from agentrun.workflow import convert
from agentrun.workflow.checks import check_inputs, check_steps, check_subworkflow_inputs
from agentrun.workflow.findings import Findings
from agentrun.workflow.hints import STEP_KEYS_ELSEWHERE, TOP_KEYS_ELSEWHERE
from agentrun.workflow.identity import content_hash
from agentrun.workflow.kinds import read_spec
from agentrun.workflow.lint import add_warnings
from agentrun.workflow.problems import Problem
from agentrun.workflow.schema import COMMON_KEYS, WorkflowModel
from agentrun.workflow.schema_types import type_name
from agentrun.workflow.steps import StepDraft, is_kind_key, read_defaults, read_steps
from agentrun.workflow.yaml_builder import Unreadable
from agentrun.workflow.yaml_source import decode, parse

MAX_NESTING = 8
MAX_FILES = 100


@dataclass(slots=True)
class Reader:
    """What one load shares over all its files. `pinned` replaces the disk when it is given."""

    root: Path
    pinned: Mapping[str, str] | None = None
    chain: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    loaded: dict[str, tuple[core.Workflow | None, list[Problem]]] = field(default_factory=dict)

    def key(self, path: Path) -> str:
        """Return the name of a file in `Workflow.sources`: relative to the root file's folder."""
        import os.path

        return os.path.normpath(os.path.relpath(path, self.root))

    def bytes_of(self, path: Path) -> bytes | str:
        """Return the text of a sub-workflow, or the reason why there is none."""
        key = self.key(path)
        if self.pinned is not None:
            text = self.pinned.get(key)
            return text.encode() if text is not None else "it is not among the pinned files"
        try:
            return path.read_bytes()
        except OSError as error:
            return error.strerror or str(error)


def read_workflow(
    data: bytes, path: Path, shown: str, reader: Reader
) -> tuple[core.Workflow | None, list[Problem]]:
    """Return the workflow in these bytes and every problem of it and of the files it names."""
    try:
        text = decode(data)
    except Unreadable as error:
        return None, [Problem(shown, error.line, error.column, "", error.message, error.hint)]
    source, problems = parse(text, shown)
    if source is None:
        return None, problems
    findings = Findings(source)
    findings.problems += problems
    if not isinstance(source.data, dict):
        what = type_name(source.data)
        findings.add(
            (), f"a workflow is a mapping, not {what}", "it starts with `name:` or `steps:`"
        )
        return None, findings.problems
    workflow = _assemble(source.data, path, findings, reader, hashlib.sha256(data).hexdigest())
    findings.add_surprises()
    return (None if findings.has_errors() else workflow), findings.problems


def _assemble(
    data: dict[str, Any], path: Path, findings: Findings, reader: Reader, sha256: str
) -> core.Workflow | None:
    findings.booleans.add(("debugger", "autofix"))  # `autofix: off` can mean one thing only
    model = _top(data, findings)
    debugger = _debugger(model, findings) if model else None
    defaults = read_defaults(data.get("defaults"), findings)
    inputs = check_inputs(convert.inputs(model.inputs), findings) if model else {}
    drafts = read_steps(data.get("steps"), defaults, findings)
    folder = path.parent if reader.pinned is None else None
    needs = check_steps(drafts, data, findings, folder)
    steps = [convert.step(each, needs.get(each.id, ()), findings) for each in drafts]
    subs = _subworkflows(drafts, path, findings, reader)
    add_warnings(data, drafts, path.parent, findings)
    if model is None or findings.has_errors():
        return None
    env = convert.env(model.env, ("env",), findings)
    hashed = tuple(
        structs.replace(each, content_hash=content_hash(each, env, _sub_hash(each, subs)))
        for each in steps
        if each is not None
    )
    return core.Workflow(
        name=model.name or path.stem,
        steps=hashed,
        description=model.description,
        inputs=inputs,
        secrets=tuple(model.secrets),
        env=env,
        limits={name: convert.limit(each) for name, each in model.limits.items()},
        breakers={name: convert.breaker(each) for name, each in model.breakers.items()},
        budget=convert.budget(model.budget),
        debugger=debugger,
        outputs=model.outputs,
        retention=model.retention,
        notify=tuple(each.model_dump() for each in model.notify),
        sha256=sha256,
        subworkflows=subs,
        sources=dict(reader.texts) if not reader.chain else {},
    )


def _sub_hash(step: core.Step, subs: Mapping[str, core.Workflow]) -> str:
    """Return a hash over a sub-workflow and all those below it."""
    sub = subs.get(str(step.spec.get("path"))) if step.kind == "workflow" else None
    if sub is None:
        return ""
    below = "".join(each.content_hash for each in sub.steps)
    return hashlib.sha256(f"{sub.sha256}{below}".encode()).hexdigest()


def _top(data: dict[str, Any], findings: Findings) -> WorkflowModel | None:
    """Validate the keys of the file itself."""
    given = {}
    for key, value in data.items():
        if value is None and findings.source.node((key,)).raw == "":
            findings.add((key,), f"`{key}` is empty", "give it a value or remove it", of_key=True)
        else:
            given[key] = value
    if "debugger" in given and isinstance(given["debugger"], bool):
        findings.add(("debugger",), "`debugger` must be a mapping", "write `debugger: {}`")
        del given["debugger"]
    known = {each.alias or name for name, each in WorkflowModel.model_fields.items()}
    try:
        return WorkflowModel.model_validate(given)
    except ValidationError as error:
        errors = [e for e in error.errors() if not (e["type"] == "missing" and e["loc"][0] in data)]
        for each in [e for e in errors if e["type"] == "extra_forbidden" and len(e["loc"]) == 1]:
            key = str(each["loc"][0])
            foreign = TOP_KEYS_ELSEWHERE.get(key)
            if not foreign and (
                key in COMMON_KEYS or is_kind_key(key) or key in STEP_KEYS_ELSEWHERE
            ):
                errors.remove(each)
                message = f"unknown key `{key}`"
                findings.add(
                    (key,), message, "keys of a step stand under `steps: - id: ...`", of_key=True
                )
        findings.add_pydantic((), errors, known, TOP_KEYS_ELSEWHERE)
        return None


def _debugger(model: WorkflowModel, findings: Findings) -> core.DebuggerPolicy | None:
    given = model.debugger
    if given is None:
        return None
    agent = None
    if given.agent is not None:
        kind, asked = registry.get("agent"), given.agent
        if isinstance(asked, dict):
            asked = {"prompt": "", **asked}  # the Debugger writes the prompt
        agent = read_spec(kind, {"agent": asked}, ("debugger",), findings)
        if agent is not None and isinstance(given.agent, dict) and "prompt" not in given.agent:
            agent.pop("prompt", None)
    return core.DebuggerPolicy(agent=agent, autofix=given.autofix, max_fixes=given.max_fixes)


def _subworkflows(
    drafts: list[StepDraft], path: Path, findings: Findings, reader: Reader
) -> dict[str, core.Workflow]:
    found: dict[str, core.Workflow] = {}
    for draft in drafts:
        way = draft.way
        if way is None or way.kind.name != "workflow" or way.spec is None:
            continue
        written = str(way.spec["path"])
        at = (*draft.path, "workflow")
        if "${{" in written:
            findings.add(
                at,
                "the path of a sub-workflow can't be an expression",
                "it is read before anything runs",
            )
            continue
        sub = found.get(written) or _load_sub(written, path, at, findings, reader)
        if sub is not None:
            found[written] = sub
            check_subworkflow_inputs(draft, sub, findings)
    return found


def _load_sub(
    written: str, path: Path, at: tuple[str | int, ...], findings: Findings, reader: Reader
) -> core.Workflow | None:
    target = path.parent / written
    key = reader.key(target)
    chain = (*reader.chain, reader.key(path))
    if key in chain:
        trail = " → ".join((*chain[chain.index(key) :], key))
        findings.add(
            at, f"the workflow leads back to itself: {trail}", "use `until` or `for_each` to repeat"
        )
        return None
    if len(chain) > MAX_NESTING or len(reader.texts) >= MAX_FILES:
        findings.add(at, f"sub-workflows are nested deeper than {MAX_NESTING}, or are too many")
        return None
    if key not in reader.loaded:
        data = reader.bytes_of(target)
        if isinstance(data, str):
            findings.add(
                at, f"`{written}` can't be read: {data}", "it is found from this file's folder"
            )
            return None
        below = replace(reader, chain=chain)
        reader.loaded[key] = read_workflow(data, target, str(target), below)
        reader.texts[key] = data.decode("utf-8", "replace")
    workflow, problems = reader.loaded[key]
    findings.problems += [each for each in problems if each not in findings.problems]
    return workflow

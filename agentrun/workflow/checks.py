"""What must hold between the parts of a file: ids, needs, references, commands, inputs.

Owns the checks that look at more than one key. A draft whose own keys are wrong still takes part
with its id and needs, so that one mistake does not hide the others or cause false ones.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from agentrun.core.model import Input, Workflow
from agentrun.workflow.expressions import (
    ExpressionError,
    expressions_in,
    has_expression,
)
from agentrun.workflow.findings import Findings
from agentrun.workflow.hints import did_you_mean
from agentrun.workflow.inputs import misfit
from agentrun.workflow.kinds import kind_names
from agentrun.workflow.names import (
    AFTERWARDS,
    EVERYWHERE,
    IN_ATTEMPT,
    Spot,
    World,
    check_references,
    check_spot,
)
from agentrun.workflow.order import Ancestors, implicit_needs, sorted_by_needs, without_cycles
from agentrun.workflow.shell import compile_shell
from agentrun.workflow.steps import StepDraft, WayDraft
from agentrun.workflow.template import single
from agentrun.workflow.yaml_source import Path

_CONDITION_NAMES = EVERYWHERE | {"always", "failed", "succeeded"}


def check_steps(
    drafts: list[StepDraft], data: Mapping[str, Any], findings: Findings, folder: FilePath | None
) -> dict[str, tuple[str, ...]]:
    """Check the steps against each other; return the needs of each, implicit ones written out.

    Prompt files are looked up in `folder`; without one (a pinned task) they are left alone.
    """
    distinct = _check_ids(drafts, findings)
    needs = implicit_needs([(each.id, _explicit_needs(each)) for each in distinct])
    ancestors = _check_graph(distinct, needs, findings)
    inputs = data.get("inputs")
    world = World(
        inputs=inputs if isinstance(inputs, dict) else {},
        kinds={each.id: each.way.kind.name if each.way else "" for each in drafts if each.id},
        ancestors=ancestors,
        built_in=kind_names(),
        used_inputs=set(),
    )
    by_id = {draft.id: draft for draft in distinct}
    for draft in drafts:
        _check_pairs(draft, findings)
        _check_approval(draft, findings)
        _check_body(draft, findings)
        for spot in _spots(draft):
            if spot.value:
                check_spot(spot, world, findings)
        _check_commands(draft, findings)
        _check_session(draft, by_id, world, findings)
        if folder is not None:
            _check_prompt_files(draft, folder, world, findings)
    check_spot(Spot(("outputs",), data.get("outputs"), EVERYWHERE), world, findings)
    check_spot(Spot(("env",), data.get("env"), frozenset({"inputs", "task"})), world, findings)
    unused = [name for name in world.inputs if name not in world.used_inputs]
    for name in unused if drafts and not findings.has_errors() else ():
        findings.add(
            ("inputs", name), f"the input `{name}` is never used", of_key=True, severity="warning"
        )
    return needs


def _explicit_needs(draft: StepDraft) -> tuple[str, ...] | None:
    raw = draft.raw.get("needs")
    if raw is None:
        return None
    values = raw if isinstance(raw, list) else [raw]
    return tuple(each for each in values if isinstance(each, str))


def _check_ids(drafts: list[StepDraft], findings: Findings) -> list[StepDraft]:
    """Find ids that stand twice; return the first draft of every id."""
    first: dict[str, StepDraft] = {}
    for draft in drafts:
        if draft.id in first:
            line = findings.source.place((*first[draft.id].path, "id"))[0]
            hint = f"line {line} has it too; choose another"
            findings.add((*draft.path, "id"), f"the id `{draft.id}` is taken", hint)
        elif draft.id:
            first[draft.id] = draft
    return list(first.values())


def _check_graph(
    drafts: list[StepDraft], needs: Mapping[str, tuple[str, ...]], findings: Findings
) -> Ancestors:
    """Find unknown needs and cycles; return who is upstream of whom, where that is clear."""
    places = {draft.id: draft for draft in drafts}
    for draft in drafts:
        for index, each in enumerate(_explicit_needs(draft) or ()):
            listed = isinstance(draft.raw["needs"], list)
            at: Path = (*draft.path, "needs", index) if listed else (*draft.path, "needs")
            if each not in places:
                findings.add(
                    at, f"there is no step `{each}` to wait for", did_you_mean(each, places)
                )
            elif each == draft.id:
                findings.add(at, f"step `{each}` waits for itself")
    others = {step: [each for each in mine if each != step] for step, mine in needs.items()}
    clear, cycles = without_cycles(others)
    for cycle in cycles:
        at_step = next(name for name in cycle if _explicit_needs(places[name]) is not None)
        trail = " → ".join(cycle)
        hint = "each waits for the next; a step without `needs` waits for all steps above it"
        findings.add(
            (*places[at_step].path, "needs"), f"the steps wait for each other: {trail}", hint
        )
    return Ancestors(clear, sorted_by_needs(clear)[0])


def _check_approval(draft: StepDraft, findings: Findings) -> None:
    """Find a default that nobody could have answered."""
    spec = draft.way.spec if draft.way is not None else None
    if draft.way is None or draft.way.kind.name != "approval" or not spec:
        return
    default, options = spec["default"], spec["options"]
    if default is None or "${{" in f"{default}{options}" or default in options:
        return
    hint = did_you_mean(default, options)
    message = f"the default `{default}` is none of the options"
    findings.add((*draft.path, "approval", "default"), message, hint)


def _check_body(draft: StepDraft, findings: Findings) -> None:
    """Find a request with two bodies."""
    spec = draft.way.spec if draft.way is not None else None
    if draft.way is None or draft.way.kind.name != "http" or not spec:
        return
    if spec["json"] is not None and spec["body"] is not None:
        where = (*draft.path, "http", "body")
        findings.add(where, "`json` and `body` exclude each other", "keep one", of_key=True)


def _check_pairs(draft: StepDraft, findings: Findings) -> None:
    """Find common keys that mean nothing without another."""
    model, raw = draft.model, draft.raw
    if model is None:
        return
    for key, other in (("as", "for_each"), ("max_parallel", "for_each"), ("max_rounds", "until")):
        if key in raw and raw.get(other) is None:
            findings.add(
                (*draft.path, key), f"`{key}` means nothing without `{other}`", of_key=True
            )
    if model.until is not None and isinstance(raw.get("until"), bool):
        findings.add(
            (*draft.path, "until"), "`until` must be an expression", "until: output == 'done'"
        )
    if model.retry is not None and model.retry.delay > model.retry.max_delay:
        path = (*draft.path, "retry")
        findings.warn(path, "`delay` is longer than `max_delay`, so every wait is `max_delay`")
    timeout, idle = model.timeout, model.idle_timeout
    if timeout is not None and idle is not None and idle >= timeout:
        findings.warn(draft.place("idle_timeout"), "`idle_timeout` is not shorter than `timeout`")


def _spots(draft: StepDraft) -> Iterator[Spot]:
    """Yield every value of a step that may hold expressions, with the names it may use."""
    model, way = draft.model, draft.way
    item = _item_names(draft)
    during = IN_ATTEMPT | item
    if model is not None:
        yield Spot(draft.place("if"), model.if_, _CONDITION_NAMES | item, draft.id, condition=True)
        yield Spot(draft.place("for_each"), model.for_each, EVERYWHERE, draft.id)
        afterwards = AFTERWARDS | item
        yield Spot(draft.place("until"), model.until, afterwards, draft.id, condition=True)
        yield Spot(draft.place("checks"), model.checks, afterwards, draft.id)
        for key, value in (("env", model.env), ("cwd", model.cwd), ("stdin", model.stdin)):
            yield Spot(draft.place(key), value, during, draft.id)
        yield Spot(draft.place("with"), model.with_, during, draft.id)
        for index, each in enumerate(model.remedies):
            path = (*draft.place("remedies"), index, "run")
            yield Spot(path, each.run, during, draft.id)
    for one in [way, *draft.alternatives] if way else []:
        for path, value in _own_values(one):
            yield Spot(path, value, during, draft.id)


def _item_names(draft: StepDraft) -> frozenset[str]:
    """Return the names that a `for_each` adds."""
    model = draft.model
    if model is not None and model.for_each is not None:
        return frozenset({model.as_ or "item", "item", "index"})
    if model is None and "for_each" in draft.raw:
        return frozenset({str(draft.raw.get("as", "item")), "item", "index"})
    return frozenset()


def _own_values(way: WayDraft) -> Iterator[tuple[Path, Any]]:
    """Yield what stands under a kind's key and beside it, as written."""
    kind = way.kind
    for key in ({kind.name} | kind.beside | kind.either | {"with"}) & way.raw.keys():
        if key != "with" or way.path[-2] == "fallback":
            yield (*way.path, key), way.raw[key]


def _check_commands(draft: StepDraft, findings: Findings) -> None:
    """Find places in shell commands where a value would not stay data."""
    if draft.model is not None:
        for index, check in enumerate(draft.model.checks):
            listed = isinstance(draft.raw.get("checks", []), list)
            at = draft.place("checks")
            if has_expression(check) and single(check) is None:
                _check_command(check, (*at, index) if listed else at, findings)
        for index, remedy in enumerate(draft.model.remedies):
            _check_command(remedy.run, (*draft.place("remedies"), index, "run"), findings)
    for way in [draft.way, *draft.alternatives] if draft.way else []:
        if way is None or way.spec is None:
            continue
        for name in way.kind.program_text:
            inside = way.raw[way.kind.name]
            at = (*way.path, way.kind.name)
            if isinstance(inside, dict):
                at = (*at, name.rstrip("_"))
            if isinstance(command := way.spec.get(name), str):
                _check_command(command, at, findings)


def _check_command(command: str, path: Path, findings: Findings) -> None:
    if not has_expression(command):
        return
    for each in compile_shell(command):
        findings.add(path, each.message, each.hint, within=each.expression or "${{")


def _check_session(
    draft: StepDraft, drafts: Mapping[str, StepDraft], world: World, findings: Findings
) -> None:
    """`session: <id>` of an agent continues the conversation of a step that came before."""
    for way in [draft.way, *draft.alternatives]:
        if way is None or way.kind.name != "agent" or way.spec is None:
            continue
        session = way.spec.get("session")
        written = way.raw.get("agent")
        inside = isinstance(written, dict) and "session" in written
        inherited = way is not draft.way and not inside and "session" not in way.raw
        if session in (None, "continue", "fresh") or has_expression(session) or inherited:
            continue
        at = (*way.path, "agent", "session") if inside else (*way.path, "session")
        if session not in world.kinds:
            hint = did_you_mean(str(session), ["continue", "fresh", *world.kinds])
            findings.add(at, f"there is no step `{session}` whose session could go on", hint)
        elif not world.ancestors.has(draft.id, str(session)):
            findings.add(
                at,
                f"step `{draft.id}` does not wait for `{session}`",
                f"add `{session}` to its `needs`",
            )
        else:
            _check_agents(way, drafts[str(session)], at, findings)


def _check_agents(way: WayDraft, named: StepDraft, at: Path, findings: Findings) -> None:
    """Find a conversation that the agent could not read, or that would be several."""
    if named.way is None or named.way.spec is None or way.spec is None:
        return
    if named.way.kind.name != "agent":
        findings.add(at, f"step `{named.id}` is no agent: it has no session")
        return
    if named.model is not None and named.model.for_each is not None:
        findings.add(at, f"step `{named.id}` has a conversation for each item, not one")
        return
    theirs, ours = _agent_of(named.way), _agent_of(way)
    if theirs != ours and None not in (theirs, ours):
        findings.add(
            at,
            f"{ours} can't go on with the session of `{named.id}`, which is {theirs}",
            "only the same CLI can; an API model can after any API model",
        )


def _agent_of(way: WayDraft) -> str | None:
    """Return what answers, in words; None when that is known at run time only."""
    spec = way.spec or {}
    if spec.get("cli") is None:
        return "an API model"
    name = way.kind.component(spec)
    return None if name is None or has_expression(name) else f"the CLI `{name}`"


def _check_prompt_files(
    draft: StepDraft, folder: FilePath, world: World, findings: Findings
) -> None:
    """Check what the prompt files of a step refer to; one that is not there is a warning."""
    for way in [draft.way, *draft.alternatives] if draft.way else []:
        name = (
            way.spec.get("prompt_file") if way and way.spec and way.kind.name == "agent" else None
        )
        if way is None or not isinstance(name, str) or has_expression(name):
            continue
        inside = isinstance(way.raw["agent"], dict) and "prompt_file" in way.raw["agent"]
        at = (*way.path, "agent", "prompt_file") if inside else (*way.path, "prompt_file")
        try:
            text = (folder / name).read_text("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            findings.warn(at, f"the prompt file `{name}` can't be read: {reason}")
            continue
        if "${{" not in text and "{%" not in text:
            continue
        from agentrun.workflow.prompts import references_of_prompt

        spot = Spot(at, None, IN_ATTEMPT | _item_names(draft), draft.id)
        try:
            check_references(references_of_prompt(text), name, spot, world, findings)
        except ExpressionError as error:
            findings.add(at, f"in `{name}`: {error.message}", error.hint)


def check_inputs(inputs: dict[str, Input], findings: Findings) -> dict[str, Input]:
    """Check defaults and choices of inputs against their types; return the inputs."""
    for name, each in inputs.items():
        path: Path = ("inputs", name)
        if each.type == "boolean":
            findings.booleans.add((*path, "default"))
        for index, choice in enumerate(each.enum):
            if message := misfit(Input(type=each.type), choice):
                findings.add((*path, "enum", index), f"a choice of `{name}` {message}")
        if (
            not each.required
            and each.default is not None
            and (message := misfit(each, each.default))
        ):
            findings.add((*path, "default"), f"the default of `{name}` {message}")
    return inputs


def _holds_expression(value: Any) -> bool:
    """Say whether a value is only known at run time; one that can't be read is found elsewhere."""
    try:
        return any(True for _ in expressions_in(value))
    except ExpressionError:
        return True


def check_subworkflow_inputs(draft: StepDraft, sub: Workflow, findings: Findings) -> None:
    """Check `with` of a `workflow` step against the inputs of that file."""
    given = draft.raw.get("with", {})
    at = (*draft.path, "with")
    if not isinstance(given, dict):
        return
    for name, value in given.items():
        if name not in sub.inputs:
            hint = did_you_mean(name, sub.inputs)
            findings.add((*at, name), f"`{sub.name}` has no input `{name}`", hint, of_key=True)
        elif not _holds_expression(value) and (message := misfit(sub.inputs[name], value)):
            findings.add((*at, name), f"the input `{name}` {message}")
    missing = [n for n, each in sub.inputs.items() if each.required and n not in given]
    if missing:
        names = ", ".join(f"`{each}`" for each in missing)
        findings.add(
            (*draft.path, "workflow"),
            f"`{sub.name}` needs the input {names}",
            "give it under `with`",
        )

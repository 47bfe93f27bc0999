"""Reads the entries of `steps`: common keys, one kind, its spec, its alternatives.

Owns the draft of a step: everything of one entry that could be read, so that one file shows all of
its mistakes at once. Looks at one step at a time; what concerns several is in `checks.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from agentrun.core.model import Json
from agentrun.steps import registry
from agentrun.steps.kind import StepKind
from agentrun.workflow.findings import Findings
from agentrun.workflow.hints import STEP_KEYS_ELSEWHERE, did_you_mean
from agentrun.workflow.kinds import is_kind, kind_names, misplaced, read_spec, yaml_keys
from agentrun.workflow.schema import COMMON_KEYS, DefaultsModel, StepModel
from agentrun.workflow.schema_types import type_name
from agentrun.workflow.yaml_source import Path

WITHOUT_DEFAULTS = frozenset({"wait", "approval"})
NO_FALLBACK = WITHOUT_DEFAULTS | {"workflow"}
_ALTERNATIVE_KEYS = frozenset({"with", "component"})


@dataclass(slots=True)
class WayDraft:
    """A way to do a step: its kind and spec. The step's own, or one entry of `fallback`."""

    path: Path
    kind: StepKind
    spec: dict[str, Json] | None
    raw: dict[str, Any]


@dataclass(slots=True)
class StepDraft:
    """What could be read of one step. `model` holds defaults merged in, None when it is wrong."""

    path: Path
    raw: dict[str, Any]
    id: str
    way: WayDraft | None = None
    model: StepModel | None = None
    alternatives: list[WayDraft] = field(default_factory=list)

    def place(self, key: str) -> Path:
        """Return where a common key stands: on the step, or in `defaults`."""
        return (*self.path, key) if key in self.raw else ("defaults", key)


@dataclass(slots=True)
class Defaults:
    """`defaults:` the common keys as a model, and keys that stand beside some kind (`shell`)."""

    model: DefaultsModel | None = None
    beside: dict[str, Any] = field(default_factory=dict)


def read_defaults(raw: Any, findings: Findings) -> Defaults:
    """Return the checked `defaults`."""
    if not isinstance(raw, dict):
        return Defaults()
    path: Path = ("defaults",)
    beside = {key: raw[key] for key in raw if key not in COMMON_KEYS and _is_beside(key)}
    common = {key: raw[key] for key in raw if key not in beside}
    for key in ("id", "needs", "name"):
        if common.pop(key, None) is not None:
            findings.add((*path, key), f"`{key}` can't have a default", of_key=True)
    _note_booleans(common, path, findings)
    try:
        return Defaults(DefaultsModel.model_validate(common), beside)
    except ValidationError as error:
        findings.add_pydantic(path, error.errors(), COMMON_KEYS, STEP_KEYS_ELSEWHERE)
        return Defaults(None, beside)


def _is_beside(key: str) -> bool:
    kinds = [registry.get(name) for name in registry.built_in_names()]
    return any(key in kind.beside | kind.either for kind in kinds)


def read_steps(raw: Any, defaults: Defaults, findings: Findings) -> list[StepDraft]:
    """Return a draft of every entry that is at least a mapping."""
    if not isinstance(raw, list):
        return []
    drafts = []
    for index, entry in enumerate(raw):
        path = ("steps", index)
        if isinstance(entry, dict):
            drafts.append(_read_step(entry, path, defaults, findings))
        else:
            what = type_name(entry)
            findings.add(path, f"a step must be a mapping, not {what}", "write `- id: ...`")
    return drafts


def _read_step(
    raw: dict[str, Any], path: Path, defaults: Defaults, findings: Findings
) -> StepDraft:
    raw = _without_empty(raw, path, findings)
    given = raw.get("id")
    draft = StepDraft(path, raw, given if isinstance(given, str) else "")
    name = _kind_key(raw, path, findings)
    kind = registry.get(name) if name else None
    taken = kind.beside | kind.either | {kind.name} if kind else frozenset()
    _refuse_unknown(raw, path, kind, findings)
    if kind is not None:
        holder = raw
        if kind.name not in WITHOUT_DEFAULTS and defaults.beside:
            holder = {**_beside_for(kind, raw, defaults), **raw}
        draft.way = WayDraft(path, kind, read_spec(kind, holder, path, findings), raw)
        for key in sorted(kind.refuses & raw.keys() - taken):
            hint = "remove it" if key != "with" else "write the values as expressions where they go"
            findings.add(
                (*path, key), f"`{key}` means nothing for `{kind.name}`", hint, of_key=True
            )
    common = {key: raw[key] for key in COMMON_KEYS & raw.keys() if key not in taken}
    _note_booleans(common, path, findings)
    try:
        draft.model = StepModel.model_validate(common)
    except ValidationError as error:
        findings.add_pydantic(path, error.errors(), COMMON_KEYS, STEP_KEYS_ELSEWHERE)
        return draft
    if defaults.model is not None and kind is not None and kind.name not in WITHOUT_DEFAULTS:
        draft.model = merged(draft.model, defaults.model, kind.refuses | taken)
    draft.alternatives = _read_alternatives(draft, findings)
    return draft


def _without_empty(raw: dict[str, Any], path: Path, findings: Findings) -> dict[str, Any]:
    """Refuse `timeout:` with nothing after it; an explicit `null` stands, to undo a default."""
    kept = {}
    for key, value in raw.items():
        if value is None and not is_kind_key(key) and findings.source.node((*path, key)).raw == "":
            findings.add(
                (*path, key), f"`{key}` is empty", "give it a value or remove it", of_key=True
            )
        else:
            kept[key] = value
    return kept


def is_kind_key(key: str) -> bool:
    """Say whether a key of a step names a built-in kind."""
    return key in kind_names()


def _kind_key(raw: dict[str, Any], path: Path, findings: Findings) -> str | None:
    """Return the one kind of a step; none or several are a problem."""
    found = [key for key in raw if key in kind_names()]
    if not found:
        found = [key for key in raw if key not in COMMON_KEYS and is_kind(key)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"`{name}`" for name in registry.built_in_names())
    if not found:
        if not any(_is_meant_for_a_kind(key) for key in raw):  # that is told of the key itself
            findings.add(path, "the step does not say what to do", f"one of {known}")
        return None
    both = " and ".join(f"`{key}`" for key in found)
    findings.add(
        (*path, found[1]),
        f"the step has {both}: only one is possible",
        "make two steps",
        of_key=True,
    )
    return None


def _is_meant_for_a_kind(key: str) -> bool:
    """Return whether a key that is none has a hint which names a kind."""
    if key in COMMON_KEYS:
        return False
    hint = did_you_mean(key, {*COMMON_KEYS, *kind_names()}, STEP_KEYS_ELSEWHERE)
    return bool(misplaced(key)) or any(f"`{name}`" in hint for name in kind_names())


def _refuse_unknown(
    raw: dict[str, Any], path: Path, kind: StepKind | None, findings: Findings
) -> None:
    for key in raw:
        if key in COMMON_KEYS or is_kind_key(key) or (kind and key in kind.beside | kind.either):
            continue
        if kind and key == kind.name:
            continue
        known = {*COMMON_KEYS, *kind_names(), *(kind.beside | kind.either if kind else ())}
        hint = ""
        if kind is not None and key in yaml_keys(kind.name):
            hint = f"it belongs inside `{kind.name}`"
        else:
            hint = misplaced(key) or did_you_mean(key, known, STEP_KEYS_ELSEWHERE)
        findings.add((*path, key), f"unknown key `{key}`", hint, of_key=True)


def _beside_for(kind: StepKind, raw: dict[str, Any], defaults: Defaults) -> dict[str, Any]:
    inside = raw[kind.name] if isinstance(raw[kind.name], dict) else {}
    wanted = (kind.beside | kind.either) - inside.keys()
    return {key: value for key, value in defaults.beside.items() if key in wanted}


def merged(step: StepModel, defaults: DefaultsModel, skip: frozenset[str]) -> StepModel:
    """Return the step with the defaults it doesn't override; `retry` merges key by key."""
    update: dict[str, Any] = {}
    for name in defaults.model_fields_set:
        alias = StepModel.model_fields[name].alias or name
        if alias in skip:
            continue
        if name not in step.model_fields_set:
            update[name] = getattr(defaults, name)
        elif name == "retry" and step.retry is not None and defaults.retry is not None:
            given = step.retry.model_fields_set
            below = {
                key: getattr(defaults.retry, key) for key in defaults.retry.model_fields_set - given
            }
            update[name] = step.retry.model_copy(update=below)
    return step.model_copy(update=update) if update else step


def _note_booleans(common: dict[str, Any], path: Path, findings: Findings) -> None:
    for key in ("idempotent", "continue_on_error", "if", "until"):
        if isinstance(common.get(key), bool):
            findings.booleans.add((*path, key))


def _read_alternatives(draft: StepDraft, findings: Findings) -> list[WayDraft]:
    """Return the entries of `fallback`: a kind, its keys, and `with` or `component`."""
    found = []
    assert draft.model is not None
    base = draft.place("fallback")
    for index, entry in enumerate(draft.model.fallback):
        path = (*base, index)
        if not isinstance(entry, dict):
            findings.add(path, f"an alternative must be a mapping, not {type_name(entry)}")
            continue
        name = _kind_key(entry, path, findings)
        if name is None:
            continue
        kind = registry.get(name)
        if name in NO_FALLBACK:
            findings.add(path, f"`{name}` can't be a fallback", "use run, agent, python or http")
            continue
        allowed = kind.beside | kind.either | _ALTERNATIVE_KEYS | {name}
        for key in entry.keys() - allowed:
            hint = "the alternative keeps all other keys of its step"
            findings.add((*path, key), f"`{key}` can't stand in a fallback", hint, of_key=True)
        for key in sorted(kind.refuses & entry.keys()):
            findings.add((*path, key), f"`{key}` means nothing for `{name}`", of_key=True)
        inherited = _inherited(draft, entry) if kind.name == "agent" else {}
        if inherited is None:
            continue
        given = {**entry, name: {**inherited, **entry[name]}} if inherited else entry
        found.append(WayDraft(path, kind, read_spec(kind, given, path, findings), entry))
    return found


_TASK_KEYS = ("system", "workspace", "on_retry", "files", "mcp", "max_turns", "max_tokens")
_PROMPT_KEYS = ("prompt", "prompt_file")


def _inherited(draft: StepDraft, entry: dict[str, Any]) -> dict[str, Any] | None:
    """Return what another agent takes over from the step's own: the task, not how it is reached.

    So `fallback: [{agent: {cli: codex}}]` asks codex the same. None when the step itself is wrong.
    """
    own = draft.way
    if own is None or own.kind.name != "agent" or not isinstance(entry["agent"], dict):
        return {}
    given = {**entry, **entry["agent"]}
    if own.spec is None:
        return None
    keys = [key for key in _TASK_KEYS if key not in given]
    if not given.keys() & set(_PROMPT_KEYS):
        keys += _PROMPT_KEYS
    if not given.keys() & {"cli", "model"}:
        keys += [key for key in own.spec if key not in given and key not in (*_PROMPT_KEYS, *keys)]
    elif "cli" in given and own.spec.get("cli") and "permissions" not in given:
        keys.append("permissions")
    if "session" not in (*given, *keys) and _same_agent(own.spec, given):
        keys.append("session")
    return {key: own.spec[key] for key in keys if own.spec.get(key) is not None}


def _same_agent(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether the other agent can read the conversations of this one."""
    return one.get("cli") == other.get("cli")

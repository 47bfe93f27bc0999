"""`on_error:` an ordered list of rules, of which the first that matches decides.

    on_error:
      - match: {kind: rate_limit}
        then: retry
      - match: {exit_code: 3, text: "no space"}
        then: fallback

Owns their reading, and finds rules that can never match. The action may also be written as a key
of its own (`retry: true`). A rule without `match` holds for every failure.
"""

from typing import Any, get_args

from pydantic import ValidationError

from agentrun.core.failure import CATEGORY_OF, Category, Kind
from agentrun.core.model import ErrorRule, OnErrorAction
from agentrun.workflow.findings import Findings
from agentrun.workflow.hints import did_you_mean
from agentrun.workflow.schema import MatchModel
from agentrun.workflow.schema_types import CATEGORIES, type_name
from agentrun.workflow.yaml_source import Path

ACTIONS: tuple[OnErrorAction, ...] = get_args(OnErrorAction)
_FINAL = frozenset({Kind.SECURITY.value, Kind.CANCELLED.value})
_NO_EXIT_CODE = frozenset({"http", "workflow"})
_NO_STATUS = frozenset({"workflow"})


def read_rules(
    raw: list[Any], path: Path, findings: Findings, kind: str, *, has_fallback: bool
) -> tuple[ErrorRule, ...]:
    """Return the rules; what is wrong with them goes to the findings. A rule under `defaults` holds
    for many kinds of steps: it need not mean something for each.
    """
    own = path[:1] != ("defaults",)
    rules: list[ErrorRule] = []
    for index, entry in enumerate(raw):
        at = (*path, index)
        rule = _read_rule(entry, at, findings)
        if rule is None:
            continue
        if own and rule.action == "fallback" and not has_fallback:
            findings.add(at, "the rule asks for the fallback, but the step has no `fallback`")
        if message := _impossible(rule) or (_meaningless(rule, kind) if own else ""):
            findings.add(at, message)
        for earlier, other in enumerate(rules):
            if _covers(other, rule):
                message = f"this rule is never reached: rule {earlier + 1} above matches all of it"
                findings.add(at, message, "put the narrower rule first")
                break
        rules.append(rule)
    return tuple(rules)


def _read_rule(entry: Any, path: Path, findings: Findings) -> ErrorRule | None:
    if not isinstance(entry, dict):
        what = type_name(entry)
        findings.add(
            path, f"a rule must be a mapping, not {what}", "{match: {kind: ...}, then: retry}"
        )
        return None
    action = _action(entry, path, findings)
    matcher = entry.get("match", {})
    if not isinstance(matcher, dict):
        what = type_name(matcher)
        findings.add(
            (*path, "match"), f"`match` must be a mapping, not {what}", "{kind: rate_limit}"
        )
        return None
    try:
        model = MatchModel.model_validate(matcher)
    except ValidationError as error:
        known = tuple(MatchModel.model_fields)
        findings.add_pydantic((*path, "match"), error.errors(), known)
        return None
    categories = _categories(model.category, (*path, "match", "category"), findings)
    if action is None or categories is None:
        return None
    return ErrorRule(
        action=action,
        kind=tuple(model.kind),
        category=categories,
        exit_code=tuple(model.exit_code),
        status=tuple(model.status),
        text=model.text,
    )


def _action(entry: dict[str, Any], path: Path, findings: Findings) -> OnErrorAction | None:
    named = [action for action in ACTIONS if action in entry]
    for key in entry.keys() - {"match", "then", *ACTIONS}:
        hint = did_you_mean(key, ["match", "then", *ACTIONS], {"do": "then", "action": "then"})
        findings.add((*path, key), f"unknown key `{key}`", hint, of_key=True)
    for action in named:
        if entry[action] not in (None, True, {}):
            hint = f"write `then: {action}`; how to retry stands in the step's `retry`"
            findings.add((*path, action), f"`{action}` takes no value here", hint)
        findings.booleans.add((*path, action))
    if "then" in entry:
        if entry["then"] in ACTIONS and not named:
            return entry["then"]  # type: ignore[no-any-return]
        hint = did_you_mean(str(entry["then"]), ACTIONS, {"ignore": "continue", "skip": "continue"})
        message = f"`then` can't be `{entry['then']}`" if not named else "the rule has two actions"
        findings.add((*path, "then"), message, hint)
        return None
    if len(named) == 1:
        return named[0]
    message = "the rule has two actions" if named else "the rule does not say what to do"
    findings.add(path, message, f"add `then:` with one of {', '.join(ACTIONS)}")
    return None


def _categories(value: Any, path: Path, findings: Findings) -> tuple[str, ...] | None:
    values = value if isinstance(value, list) else [value]
    for each in values:
        if each not in CATEGORIES:
            hint = did_you_mean(str(each), CATEGORIES)
            findings.add(path, f"`{each}` is no category of failure", hint)
            return None
    return tuple(values)


def _impossible(rule: ErrorRule) -> str:
    """Say why a rule can't hold for any step, "" when it can."""
    if rule.kind and rule.category:
        held = {CATEGORY_OF[Kind(kind)].value for kind in rule.kind}
        if not held & set(rule.category):
            return f"this rule can't match: {rule.kind[0]} is {held.pop()}, not {rule.category[0]}"
    if rule.action == "retry" and rule.kind and set(rule.kind) <= _FINAL:
        return f"a failure of kind {rule.kind[0]} is never retried"
    if rule.exit_code and set(rule.exit_code) == {0}:
        return "this rule can't match: exit code 0 is no failure (use `checks`)"
    return ""


def _meaningless(rule: ErrorRule, step_kind: str) -> str:
    """Say why a rule can't hold for this kind of step, "" when it can."""
    if rule.exit_code and step_kind in _NO_EXIT_CODE:
        return f"this rule can't match: `{step_kind}` has no exit code"
    if rule.status and step_kind in _NO_STATUS:
        return f"this rule can't match: `{step_kind}` has no HTTP status"
    return ""


def _covers(wide: ErrorRule, narrow: ErrorRule) -> bool:
    """Say whether every failure that `narrow` matches is matched by `wide` as well."""
    if wide.text is not None and wide.text != narrow.text:
        return False
    pairs = ((wide.exit_code, narrow.exit_code), (wide.status, narrow.status))
    if any(mine and not (theirs and set(theirs) <= set(mine)) for mine, theirs in pairs):
        return False
    return _kinds_of(narrow) <= _kinds_of(wide)


def _kinds_of(rule: ErrorRule) -> set[Kind]:
    kinds = {Kind(kind) for kind in rule.kind} if rule.kind else set(Kind)
    if rule.category:
        wanted = {Category(each) for each in rule.category}
        kinds = {kind for kind in kinds if CATEGORY_OF[kind] in wanted}
    return kinds

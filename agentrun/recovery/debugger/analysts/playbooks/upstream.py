"""An earlier step is to blame: what it brought lacks what this one needs."""

import re

from agentrun.core.failure import Kind
from agentrun.recovery.debugger.analysts.playbooks import said, uses
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.incident import Incident

MISSING_KEY = re.compile(
    r"KeyError: '([^']{1,80})'|has no (?:key|field|column|attribute) [`'\"]([^`'\"]{1,80})"
    r"|(?:missing|unknown) (?:key|field|column|property):? [`'\"]([^`'\"]{1,80})"
    r"|[`'\"]([^`'\"]{1,80})[`'\"] is a required property"
)
_BAD_VALUE = re.compile(
    r"could not convert string to float: '([^'\n]{1,80})'"
    r"|invalid literal for int\(\) with base \d+: '([^'\n]{1,80})'"
    r"|Invalid isoformat string: '([^'\n]{1,80})'"
)
_NOTHING_THERE = re.compile(
    r"index out of (?:range|bounds)|empty sequence|is empty\b|StopIteration|no rows|no records"
    r"|Expecting value: line 1 column 1|Cannot read propert|'NoneType' object"
)
_RETURN = re.compile(r"\S\\r\b|\S\\r['\"’]|\S\r['\"’]|\^M|\S\\015")
_EMPTY = frozenset({"", "[]", "{}", "null", '""', "None"})


def missing_key(incident: Incident) -> Diagnosis | None:
    """Blame the step whose output lacks a name that this one needs, and run it again."""
    found = MISSING_KEY.search(incident.said)
    if found is None:
        return None
    wanted = next(each for each in found.groups() if each)
    for step_id, preview in incident.upstream.items():
        has_it = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", preview)
        if uses(incident, step_id) and preview and not has_it:
            fix = Fix("rerun_upstream", {"step": step_id}, f"its output has no {wanted!r}")
            return said(f"the output of {step_id} has no {wanted!r}", 0.5, found[0], fix)
    return None


def bad_value(incident: Incident) -> Diagnosis | None:
    """Blame the one step whose output holds the value that could not be read."""
    found = _BAD_VALUE.search(incident.said)
    if found is None:
        return None
    value = next((each for each in found.groups() if each), "")
    holders = [
        step_id
        for step_id, preview in incident.upstream.items()
        if value and value in preview and uses(incident, step_id)
    ]
    if len(holders) != 1:
        return None
    fix = Fix("rerun_upstream", {"step": holders[0]}, f"its output holds {value!r}")
    return said(f"the output of {holders[0]} holds {value!r}", 0.5, found[0], fix)


def empty_output(incident: Incident) -> Diagnosis | None:
    """Blame the step that brought nothing where this one needs something."""
    found = _NOTHING_THERE.search(incident.said)
    if found is None:
        return None
    for step_id, preview in incident.upstream.items():
        if preview.strip() in _EMPTY and uses(incident, step_id):
            fix = Fix("rerun_upstream", {"step": step_id}, "it brought nothing")
            return said(f"{step_id} brought nothing", 0.5, found[0], fix)
    return None


def invisible_characters(incident: Incident) -> Diagnosis | None:
    """Clean the input where a byte-order mark hides the name that is missed, or the failure shows
    the carriage return that an earlier step brought.
    """
    for step_id, preview in incident.upstream.items():
        if not uses(incident, step_id):
            continue
        marked = preview.startswith("\ufeff") and MISSING_KEY.search(incident.said)
        returned = "\r" in preview and _RETURN.search(incident.said)
        if found := marked or returned:
            fix = Fix("clean_input", {}, "no reader wants them")
            what = "a byte-order mark" if marked else "carriage returns"
            return said(f"the output of {step_id} has {what}", 0.6, found[0], fix)
    return None


def malformed_input(incident: Incident) -> Diagnosis | None:
    """Clean the input, else let the step before make it again."""
    if incident.failure.kind is not Kind.INPUT_FORMAT:
        return None
    fixes = []
    if not any(made.change.get("clean_input") for made in incident.state.adjustments):
        fixes.append(Fix("clean_input", {}, "what no parser wants goes"))
    used = next((each for each in incident.upstream if uses(incident, each)), None)
    if used is not None:
        fixes.append(Fix("rerun_upstream", {"step": used}, "it made the input"))
    return said("the step was given something malformed", 0.4, incident.failure.message, *fixes)

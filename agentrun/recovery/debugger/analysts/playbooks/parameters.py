"""A value that the workflow declares is not the one that was meant."""

import re
from collections.abc import Iterator

from agentrun.core.failure import Kind
from agentrun.recovery.debugger.analysts.playbooks import declared, lines_of, said, uses
from agentrun.recovery.debugger.analysts.playbooks.upstream import MISSING_KEY
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.fixes.reach import SEPARATORS
from agentrun.recovery.debugger.incident import MAX_PREVIEW, Incident
from agentrun.recovery.debugger.typo import meant

_MISSING_FILE = re.compile(
    r"no such file|FileNotFoundError|cannot open|can't open|does not exist|not found", re.IGNORECASE
)
_CHOICES = re.compile(
    r"(?:choose from|choices(?: are)?|(?:must be |expected |should be )?one of|did you mean"
    r"|expected|available|allowed|possible values|valid (?:\w+ )?are|use)\b"
    r"[:\s(\[]*([^\n)\]]{1,300})",
    re.IGNORECASE,
)
_NUMBER_WANTED = re.compile(
    r"'str' object cannot be interpreted as an integer|unsupported operand type\(s\)[^\n]*'str'"
    r"|not supported between instances of '(?:str' and '(?:int|float)|(?:int|float)' and 'str)'"
    r"|can only concatenate str|must be real number, not str|indices must be integers"
    r"|(?:expected|must be)[^\n]{0,20}\b(?:int|integer|number|float)\b[^\n]{0,20}\bstr"
    r"|is not of type '(?:integer|number)'"
)
_TRUTH_WANTED = re.compile(
    r"(?:expected|must be|should be)[^\n]{0,20}\bbool(?:ean)?\b|is not of type 'boolean'"
)
_TRUTH = {"true": True, "false": False}
MIN_LINES = 2
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")


def missing_file(incident: Incident) -> Diagnosis | None:
    """Correct a file name when the one file that it misspells is there."""
    for fix, name, value in declared(incident):
        if not isinstance(value, str) or value in incident.near_files:
            continue
        line = next((each for each in lines_of(incident) if _misses(each, value)), None)
        near = None if line is None else meant(value, incident.near_files)
        if line is not None and near is not None:
            proposed = Fix(fix, {"name": name, "value": near}, f"not {value}")
            return said(f"{value} does not exist, {near} does", 0.7, line, proposed)
    return None


def _misses(line: str, file: str) -> bool:
    return bool(file) and file in line and _MISSING_FILE.search(line) is not None


def wrong_choice(incident: Incident) -> Diagnosis | None:
    """Correct a value to the one it misspells among those that the program itself lists."""
    for line, offered in _offers(incident):
        for fix, name, value in declared(incident):
            whole = isinstance(value, str) and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", line)
            near = meant(value, offered) if whole and value not in offered else None
            if near is not None:
                proposed = Fix(fix, {"name": name, "value": near}, f"not {value}")
                return said(f"{value!r} is not known, {near!r} is", 0.7, line, proposed)
    return None


def _offers(incident: Incident) -> Iterator[tuple[str, list[str]]]:
    """Yield what was said together with the choices named in it; they may be on the next line."""
    lines = list(lines_of(incident))
    for first, second in zip(lines, [*lines[1:], ""], strict=True):
        found = _CHOICES.search(both := f"{first}\n{second}")
        if found is not None:
            yield both, re.findall(r"[\w./-]*\w", found[1])


def number_as_text(incident: Incident) -> Diagnosis | None:
    """Make a number of the one text that looks like one."""
    found = _NUMBER_WANTED.search(incident.said)
    texts = [
        (name, value)
        for fix, name, value in declared(incident)
        if fix == "set_parameter" and isinstance(value, str) and _NUMBER.fullmatch(value)
    ]
    if found is None or len(texts) != 1:
        return None
    name, text = texts[0]
    number = float(text) if "." in text else int(text)
    fix = Fix("set_parameter", {"name": name, "value": number}, f"{text!r} is a text")
    return said(f"{name} is a text where a number is wanted", 0.6, found[0], fix)


def truth_as_text(incident: Incident) -> Diagnosis | None:
    """Make true or false of the one text that says so."""
    found = _TRUTH_WANTED.search(incident.said)
    texts = [
        (name, value)
        for fix, name, value in declared(incident)
        if fix == "set_parameter" and isinstance(value, str) and value.casefold() in _TRUTH
    ]
    if found is None or len(texts) != 1:
        return None
    name, text = texts[0]
    value = _TRUTH[text.casefold()]
    fix = Fix("set_parameter", {"name": name, "value": value}, f"{text!r} is a text")
    return said(f"{name} is a text where true or false is wanted", 0.6, found[0], fix)


def separator(incident: Incident) -> Diagnosis | None:
    """Take the separator that a table of an earlier step has, where the declared one is not in its
    first line and one other is in every line as often.
    """
    if MISSING_KEY.search(incident.said) is None:
        return None
    named = [
        (fix, name, value)
        for fix, name, value in declared(incident)
        if value in SEPARATORS and re.search(r"(?i)sep|delim", name)
    ]
    tables = [text for each, text in incident.upstream.items() if uses(incident, each)]
    if len(named) != 1 or len(tables) != 1:
        return None
    fix, name, value = named[0]
    lines = tables[0].splitlines()[: -1 if len(tables[0]) >= MAX_PREVIEW else None]
    if len(lines) < MIN_LINES or str(value) in lines[0]:
        return None
    others = [
        each
        for each in SEPARATORS
        if each in lines[0] and len({line.count(each) for line in lines}) == 1
    ]
    if len(others) != 1:
        return None
    proposed = Fix(fix, {"name": name, "value": others[0]}, f"no {value!r} in its first line")
    return said(f"the table is separated by {others[0]!r}", 0.6, lines[0], proposed)


def time_limit(incident: Incident) -> Diagnosis | None:
    """Raise the limit that ended the attempt, to twice what it was."""
    if incident.failure.kind is not Kind.TIMEOUT or incident.failure.rule != "step.timeout":
        return None
    which = "idle_timeout_s" if "no output for" in incident.failure.message else "timeout_s"
    before = incident.limit(which)
    if before is None:
        return None
    fix = Fix("set_timeout", {"seconds": before * 2, "which": which}, "twice as long")
    return said("the step needs longer than its limit", 0.6, incident.failure.message, fix)

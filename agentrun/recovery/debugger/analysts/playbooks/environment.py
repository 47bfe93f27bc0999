"""What the machine lacks or has otherwise than the step expects."""

import re

from agentrun.core.failure import Kind
from agentrun.recovery.debugger.analysts.playbooks import declared, lines_of, said
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.incident import Incident

_NOT_SET = re.compile(
    r"KeyError|unbound|undefined|not (?:been )?(?:set|defined|found|provided|given)|unset|missing"
    r"|required|must be (?:set|defined|given|provided)|parameter (?:null|not set)|is empty",
    re.IGNORECASE,
)
_PORT = re.compile(r"address already in use|port .{0,20}already|EADDRINUSE", re.IGNORECASE)
_ENCODING = re.compile(
    r"Unicode(?:De|En)codeError|can't (?:de|en)code (?:byte|character)|invalid utf-8"
)
_LOCALE = re.compile(
    r"unsupported locale|cannot (?:change|set) (?:the )?(?:locale|LC_)|setlocale: LC_|failed to set"
    r" (?:the )?locale",
    re.IGNORECASE,
)
_TERMINAL = re.compile(
    r"TERM environment variable (?:is )?(?:not set|unset|needs set)|unknown terminal type"
    r"|error opening terminal|No value for \$TERM",
    re.IGNORECASE,
)
FIRST_PORT, LAST_PORT = 1024, 65_000


def declared_remedy(incident: Incident) -> Diagnosis | None:
    """Propose a remedy that the workflow declares for such failures."""
    for remedy in incident.step.remedies:
        fits_kind = not remedy.kind or incident.failure.kind in remedy.kind
        fits_text = remedy.text is None or re.search(remedy.text, incident.said) is not None
        if fits_kind and fits_text:
            fix = Fix("run_remedy", {"run": remedy.run}, "the workflow declares it for this")
            return said("a declared remedy fits", 0.9, remedy.run, fix)
    return None


def unset_variable(incident: Incident) -> Diagnosis | None:
    """Set a variable that the step misses, when an input of the workflow has its name."""
    for key, value in incident.inputs.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        name = key.upper()
        line = _misses(name, incident)
        if line is not None:
            fix = Fix("set_env", {"name": name, "value": str(value)}, f"from the input {key}")
            return said(f"the variable {name} is not set", 0.8, line, fix)
    return None


def variable_of_another_step(incident: Incident) -> Diagnosis | None:
    """Propose the value that other steps set for a variable that this one misses. It may be meant
    for them alone: `set_env` leaves it to a person, unless all may be done.
    """
    for name, value in incident.set_elsewhere.items():
        line = _misses(name, incident)
        if line is not None:
            fix = Fix("set_env", {"name": name, "value": value}, "as other steps set it")
            return said(f"the variable {name} is set in other steps alone", 0.6, line, fix)
    return None


def _misses(name: str, incident: Incident) -> str | None:
    """Return the line that says that the step misses the variable."""
    if name in incident.environ or name in incident.step.env:
        return None
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    lines = (each for each in lines_of(incident) if word.search(each) and _NOT_SET.search(each))
    return next(lines, None)


def port_in_use(incident: Incident) -> Diagnosis | None:
    """Take another port when the step, and no other, declares the one that is in use."""
    found = _PORT.search(incident.said)
    if found is None or incident.failure.kind is not Kind.RESOURCE_CONFLICT:
        return None
    for fix, name, value in declared(incident):
        text = str(value)
        plain = text.isdigit() and FIRST_PORT <= int(text) <= LAST_PORT
        if plain and text not in incident.elsewhere and re.search(rf"\b{text}\b", incident.said):
            others = [int(text) + step for step in (1, 10)]
            fixes = [
                Fix(fix, {"name": name, "value": port if isinstance(value, int) else str(port)})
                for port in others
            ]
            return said(f"port {text} is in use", 0.8, found[0], *fixes)
    return None


def encoding(incident: Incident) -> Diagnosis | None:
    """Let the program speak UTF-8, or clean what it is given."""
    found = _ENCODING.search(incident.said)
    if found is None:
        return None
    fixes = [Fix("clean_input", {}, "broken UTF-8 is taken out of the input")]
    if incident.step.env.get("PYTHONUTF8") != "1":
        fixes.insert(0, Fix("set_env", {"name": "PYTHONUTF8", "value": "1"}, "read UTF-8"))
    return said("text is not in the encoding that the program expects", 0.6, found[0], *fixes)


def locale(incident: Incident) -> Diagnosis | None:
    """Take the locale that every machine has."""
    found = _LOCALE.search(incident.said)
    if found is None:
        return None
    fix = Fix("set_env", {"name": "LC_ALL", "value": "C.UTF-8"}, "every machine has it")
    return said("the locale is not installed on this machine", 0.8, found[0], fix)


def terminal(incident: Incident) -> Diagnosis | None:
    """Name a terminal that every program knows."""
    found = _TERMINAL.search(incident.said)
    if found is None:
        return None
    fix = Fix("set_env", {"name": "TERM", "value": "xterm"}, "every program knows it")
    return said("the program wants to know its terminal", 0.7, found[0], fix)


def memory_pressure(incident: Incident) -> Diagnosis | None:
    """Run fewer items at once when memory ran out."""
    if incident.failure.kind is not Kind.OUT_OF_MEMORY:
        return None
    before = incident.step.max_parallel or 8
    fix = Fix("lower_concurrency", {"max_parallel": max(1, before // 2)}, "less memory at once")
    return said("memory ran out while items ran in parallel", 0.5, incident.failure.message, fix)

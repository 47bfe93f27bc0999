"""Playbooks: per kind of failure, causes that a pattern in the evidence proves, and their fixes.

Each playbook is a pure function `incident -> Diagnosis | None`. Text of the failure is only ever
matched and quoted; what a fix then sets comes from the workflow (its inputs, its declared files and
remedies) or is a number.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping

from agentrun.core.failure import Kind
from agentrun.core.model import Json
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.incident import Incident

Playbook = Callable[[Incident], Diagnosis | None]

_UNSET = re.compile(
    r"(?:KeyError: '|line \d+: |\b)([A-Z][A-Z0-9_]{2,63})(?:'|: (?:unbound|parameter))"
)
_MISSING_FILE = re.compile(
    r"(?:No such file or directory:? ?|FileNotFoundError[^'\"]*|can(?:no|')t open |not found: )"
    r"['\"`]?([\w./ -]{1,200}\.\w{1,8})['\"`]?"
    r"|['\"`]?([\w./-]{1,200}\.\w{1,8})['\"`]?: No such file or directory"
)
_PORT = re.compile(
    r"(?i)(?:address already in use|port (?:is )?already|EADDRINUSE)\D{0,60}?(\d{2,5})\b"
)
_MISSING_KEY = re.compile(
    r"KeyError: '([^']{1,80})'|has no (?:key|field|column) [`'\"]([^`'\"]{1,80})"
)
_ENCODING = re.compile(
    r"Unicode(?:De|En)codeError|can't (?:de|en)code (?:byte|character)|invalid utf-8"
)
_CHOICE = re.compile(
    r"(?i)(?:invalid choice|invalid value|unknown|unsupported|must be one of)[^\n]{0,80}?"
    r"['\"`]?([\w.-]{1,60})['\"`]?[^\n]{0,40}?"
    r"(?:choose from|choices are|one of|expected|did you mean)"
    r"[:\s(]*([^\n)]{1,300})"
)


def analyse(incident: Incident) -> Iterator[Diagnosis]:
    """Yield what the playbooks say, the surest first."""
    found = [said for playbook in PLAYBOOKS if (said := playbook(incident)) is not None]
    yield from sorted(found, key=lambda diagnosis: -diagnosis.confidence)


def declared_remedy(incident: Incident) -> Diagnosis | None:
    """Propose a remedy that the workflow declares for such failures."""
    for remedy in incident.step.remedies:
        fits_kind = not remedy.kind or incident.failure.kind in remedy.kind
        fits_text = remedy.text is None or re.search(remedy.text, incident.said) is not None
        if fits_kind and fits_text:
            fix = Fix("run_remedy", {"run": remedy.run}, "the workflow declares it for this")
            return _said("a declared remedy fits", 0.9, remedy.run, fix)
    return None


def unset_variable(incident: Incident) -> Diagnosis | None:
    """Set a variable that the step misses, when an input of the workflow has its name."""
    for match in _UNSET.finditer(incident.said):
        name = match[1]
        if name in incident.environ:
            continue
        for key, value in incident.inputs.items():
            if key.lower() == name.lower() and isinstance(value, str | int | float):
                fix = Fix("set_env", {"name": name, "value": str(value)}, f"from the input {key}")
                return _said(f"the variable {name} is not set", 0.8, match[0], fix)
    return None


def missing_file(incident: Incident) -> Diagnosis | None:
    """Correct a file name in `with` or `env` when one that is nearly the same is there."""
    for match in _MISSING_FILE.finditer(incident.said):
        name = (match[1] or match[2]).strip()
        near = _near_file(name, incident.near_files)
        if near is None:
            continue
        for fix in _replacing(name, near, incident):
            return _said(f"{name} does not exist, {near} does", 0.7, match[0], fix)
    return None


def port_in_use(incident: Incident) -> Diagnosis | None:
    """Take the next port when the step declares the one that is in use."""
    if incident.failure.kind is not Kind.RESOURCE_CONFLICT:
        return None
    match = _PORT.search(incident.said)
    if match is None:
        return None
    port = int(match[1])
    for fix in _replacing(match[1], str(port + 1), incident):
        return _said(f"port {port} is in use", 0.8, match[0], fix)
    return None


def wrong_choice(incident: Incident) -> Diagnosis | None:
    """Correct a parameter to the near one that the program itself lists."""
    match = _CHOICE.search(incident.said)
    if match is None:
        return None
    wrong, offered = match[1], re.findall(r"[\w.-]+", match[2])
    near = difflib.get_close_matches(wrong, [each for each in offered if each != wrong], 1, 0.6)
    if not near:
        return None
    for fix in _replacing(wrong, near[0], incident):
        return _said(f"{wrong!r} is not known, {near[0]!r} is", 0.7, match[0], fix)
    return None


def encoding(incident: Incident) -> Diagnosis | None:
    """Let the program speak UTF-8, or clean what it is given."""
    match = _ENCODING.search(incident.said)
    if match is None:
        return None
    fixes = [Fix("clean_input", {}, "broken UTF-8 is taken out of the input")]
    if incident.step.env.get("PYTHONUTF8") != "1":
        fixes.insert(0, Fix("set_env", {"name": "PYTHONUTF8", "value": "1"}, "read UTF-8"))
    return _said("text is not in the encoding that the program expects", 0.6, match[0], *fixes)


def time_limit(incident: Incident) -> Diagnosis | None:
    """Raise the limit that ended the attempt, to twice what it was."""
    if incident.failure.kind is not Kind.TIMEOUT or incident.failure.rule != "step.timeout":
        return None
    which = "idle_timeout_s" if "no output for" in incident.failure.message else "timeout_s"
    before = getattr(incident.step, which)
    if before is None:
        return None
    fix = Fix("set_timeout", {"seconds": before * 2, "which": which}, "twice as long")
    return _said("the step needs longer than its limit", 0.6, incident.failure.message, fix)


def bad_upstream_output(incident: Incident) -> Diagnosis | None:
    """Blame the step whose output lacks what this one needs, and run it again."""
    match = _MISSING_KEY.search(incident.said)
    if match is None:
        return None
    wanted = match[1] or match[2]
    for step_id, preview in incident.upstream.items():
        uses = step_id in str([incident.step.with_, incident.step.stdin, dict(incident.step.spec)])
        if uses and preview and f'"{wanted}"' not in preview:
            fix = Fix("rerun_upstream", {"step": step_id}, f"its output has no {wanted!r}")
            return _said(f"the output of {step_id} has no {wanted!r}", 0.5, match[0], fix)
    return None


def broken_answer(incident: Incident) -> Diagnosis | None:
    """Tell an agent once more, in plain words, what form its answer must have."""
    if incident.failure.kind is not Kind.OUTPUT_FORMAT or incident.step.kind != "agent":
        return None
    text = (
        f"Your last answer could not be used: {incident.failure.message[:500]}. "
        "Answer with the asked form alone."
    )
    fix = Fix("add_to_prompt", {"text": text})
    return _said("the answer has the wrong form", 0.6, incident.failure.evidence, fix)


def failed_check_of_an_agent(incident: Incident) -> Diagnosis | None:
    """Let an agent see why what it did was not accepted."""
    if incident.failure.kind is not Kind.LOGIC or incident.step.kind != "agent":
        return None
    text = f"What you did was not accepted: {incident.failure.message[:1000]}"
    return _said(
        "the agent's work failed a check",
        0.6,
        incident.failure.message,
        Fix("add_to_prompt", {"text": text}),
    )


def memory_pressure(incident: Incident) -> Diagnosis | None:
    """Run fewer items at once when memory ran out."""
    if incident.failure.kind is not Kind.OUT_OF_MEMORY:
        return None
    before = incident.step.max_parallel or 8
    fix = Fix("lower_concurrency", {"max_parallel": max(1, before // 2)}, "less memory at once")
    return _said("memory ran out while items ran in parallel", 0.5, incident.failure.message, fix)


def came_and_went(incident: Incident) -> Diagnosis | None:
    """Try a step once more that has succeeded before as it stands: some checks are flaky."""
    kinds = {Kind.LOGIC, Kind.CRASH, Kind.UNKNOWN}
    if incident.failure.kind not in kinds or not incident.succeeded_before:
        return None
    count = incident.succeeded_before
    fix = Fix("retry_once", {}, "it may come and go")
    return _said("it has worked before, unchanged", 0.4, f"{count} successes on record", fix)


def malformed_input(incident: Incident) -> Diagnosis | None:
    """Clean the input, else let the step before make it again."""
    if incident.failure.kind is not Kind.INPUT_FORMAT:
        return None
    fixes = [Fix("clean_input", {}, "what no parser wants goes")]
    nearest = next(iter(incident.upstream), None)
    if nearest is not None:
        fixes.append(Fix("rerun_upstream", {"step": nearest}, "it made the input"))
    return _said("the step was given something malformed", 0.4, incident.failure.message, *fixes)


PLAYBOOKS: tuple[Playbook, ...] = (
    declared_remedy,
    unset_variable,
    port_in_use,
    missing_file,
    wrong_choice,
    encoding,
    time_limit,
    broken_answer,
    failed_check_of_an_agent,
    memory_pressure,
    bad_upstream_output,
    malformed_input,
    came_and_went,
)


def _said(cause: str, confidence: float, evidence: str, *fixes: Fix) -> Diagnosis:
    return Diagnosis(cause, "rules", confidence, evidence[:300], fixes)


def _near_file(name: str, files: tuple[str, ...]) -> str | None:
    last = name.rpartition("/")[2]
    by_last = {each.rpartition("/")[2]: each for each in files}
    near = difflib.get_close_matches(last, by_last, n=1, cutoff=0.75)
    return by_last[near[0]] if near and by_last[near[0]] != name else None


def _replacing(old: str, new: str, incident: Incident) -> Iterator[Fix]:
    """Yield the fixes that put `new` in place of a declared value that is `old`."""
    with_ = incident.step.with_
    for name, value in with_.items() if isinstance(with_, Mapping) else ():
        if _same(value, old):
            replacement: Json = int(new) if isinstance(value, int) and new.isdigit() else new
            yield Fix("set_parameter", {"name": name, "value": replacement}, f"not {old}")
    for name, text in incident.step.env.items():
        if text == old:
            yield Fix("set_env", {"name": name, "value": new}, f"not {old}")


def _same(value: Json, text: str) -> bool:
    return str(value) == text or (isinstance(value, str) and value.rpartition("/")[2] == text)

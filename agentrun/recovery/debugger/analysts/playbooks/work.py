"""The work itself is not right: an agent's answer, a failed check, what comes and goes."""

import re

from agentrun.core.failure import Kind
from agentrun.recovery.debugger.analysts.playbooks import lines_of, said
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix
from agentrun.recovery.debugger.incident import Incident


def broken_answer(incident: Incident) -> Diagnosis | None:
    """Tell an agent once more, in plain words, what form its answer must have."""
    if incident.failure.kind is not Kind.OUTPUT_FORMAT or incident.step.kind != "agent":
        return None
    text = (
        f"Your last answer could not be used: {incident.failure.message[:500]}. "
        "Answer with the asked form alone."
    )
    fix = Fix("add_to_prompt", {"text": text})
    return said("the answer has the wrong form", 0.6, incident.failure.evidence, fix)


def failed_check_of_an_agent(incident: Incident) -> Diagnosis | None:
    """Let an agent see why what it did was not accepted."""
    if incident.failure.kind is not Kind.LOGIC or incident.step.kind != "agent":
        return None
    text = f"What you did was not accepted: {incident.failure.message[:1000]}"
    fix = Fix("add_to_prompt", {"text": text})
    return said("the agent's work failed a check", 0.6, incident.failure.message, fix)


_NOT_YET = re.compile(
    r"(?:\bnot|n't) (?:\w+ ){0,3}yet\b|\bnot (?:yet )?ready\b"
    r"|\bstill (?:being )?(?:start|build|built|creat|initiali[sz]|load|warm|provision|index)"
    r"|\btry again (?:later|in a (?:moment|while|minute))\b",
    re.IGNORECASE,
)
_NEVER = re.compile(r"\b(?:implement|support|licen[cs]|install|configur)", re.IGNORECASE)
SHORT_WAIT_S = 5


def not_yet(incident: Incident) -> Diagnosis | None:
    """Wait a moment, once, for something that the failure itself says will come."""
    kinds = {Kind.LOGIC, Kind.UNKNOWN, Kind.NOT_FOUND}
    if incident.failure.kind not in kinds or not incident.step.idempotent:
        return None
    for line in lines_of(incident):
        found = _NOT_YET.search(line)
        if found is not None and _NEVER.search(line) is None:
            fix = Fix("wait", {"seconds": SHORT_WAIT_S}, found[0])
            return said("what it needs is not there yet", 0.45, line, fix)
    return None


def came_and_went(incident: Incident) -> Diagnosis | None:
    """Try a step once more that has succeeded before as it stands: some checks are flaky."""
    kinds = {Kind.LOGIC, Kind.CRASH, Kind.UNKNOWN}
    if incident.failure.kind not in kinds or not incident.succeeded_before:
        return None
    count = incident.succeeded_before
    fix = Fix("retry_once", {}, "it may come and go")
    return said("it has worked before, unchanged", 0.4, f"{count} successes on record", fix)

"""The work itself is not right: an agent's answer, a failed check, what comes and goes."""

from agentrun.core.failure import Kind
from agentrun.recovery.debugger.analysts.playbooks import said
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


def came_and_went(incident: Incident) -> Diagnosis | None:
    """Try a step once more that has succeeded before as it stands: some checks are flaky."""
    kinds = {Kind.LOGIC, Kind.CRASH, Kind.UNKNOWN}
    if incident.failure.kind not in kinds or not incident.succeeded_before:
        return None
    count = incident.succeeded_before
    fix = Fix("retry_once", {}, "it may come and go")
    return said("it has worked before, unchanged", 0.4, f"{count} successes on record", fix)

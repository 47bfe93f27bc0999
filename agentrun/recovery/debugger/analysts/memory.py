"""Knows the incident from before: proposes what worked, best first."""

from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.incident import Incident
from agentrun.recovery.debugger.memory import FixMemory

ENOUGH = 0.5
"""A fix that failed more often than it worked is not proposed again from memory."""


def analyse(incident: Incident, memory: FixMemory, now: float) -> Diagnosis | None:
    """Return what cured this pattern before, or None when nothing did."""
    known = [each for each in memory.recall(incident.fingerprint, now) if each.chance > ENOUGH]
    if not known:
        return None
    best = known[0]
    return Diagnosis(
        f"seen before; {best.fix.type} cured it in {best.worked:.0f} of {best.tries:.0f} tries",
        "memory",
        best.chance,
        f"pattern {incident.fingerprint}",
        tuple(each.fix for each in known),
    )

"""Knows the incident from before: proposes what worked, best first, as far as it holds for the data
of this run too.
"""

from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import lasts
from agentrun.recovery.debugger.incident import Incident
from agentrun.recovery.debugger.memory import FixMemory

ENOUGH = 0.5
"""A fix that failed more often than it worked is not proposed again from memory."""


def analyse(incident: Incident, memory: FixMemory, now: float) -> Diagnosis | None:
    """Return what cured this pattern before, or None when nothing did."""
    recalled = memory.recall(incident.fingerprint, now)
    known = [each for each in recalled if each.chance > ENOUGH and lasts(each.fix, incident)]
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

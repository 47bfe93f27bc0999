"""Who says what is wrong, in this order: memory of what worked, rules, an agent. One file each."""

from collections.abc import Iterator

from agentrun.recovery.debugger.analysts import memory as remembering, rules
from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.incident import Incident
from agentrun.recovery.debugger.memory import FixMemory


def without_agent(incident: Incident, knowledge: FixMemory, now: float) -> Iterator[Diagnosis]:
    """Yield what memory and rules say; no model is asked."""
    remembered = remembering.analyse(incident, knowledge, now)
    if remembered is not None:
        yield remembered
    yield from rules.analyse(incident)

"""What an analyst says of an incident: a cause, and fixes that it would try, best first."""

from msgspec import Struct

from agentrun.recovery.debugger.fixes import Fix


class Diagnosis(Struct, frozen=True):
    """`confidence` is 0 to 1; an analyst that names none is not to be trusted much.

    `evidence` is what it relied on, for people.
    """

    cause: str
    analyst: str
    confidence: float = 0.0
    evidence: str = ""
    fixes: tuple[Fix, ...] = ()

"""What the Debugger says of a failed step to a person: diagnoses, and fixes to choose from."""

from msgspec import Struct

from agentrun.recovery.debugger.diagnosis import Diagnosis
from agentrun.recovery.debugger.fixes import Fix


class Proposal(Struct, frozen=True):
    """A fix that could be applied. `number` is what `--apply` takes; `record` how often it worked
    for this pattern before, "" when it was never tried.
    """

    number: int
    fix: Fix
    diff: str
    risk: str
    record: str


class Case(Struct, frozen=True):
    """What the Debugger says of one failed step."""

    step: str
    fingerprint: str
    diagnoses: tuple[Diagnosis, ...]
    proposals: tuple[Proposal, ...]

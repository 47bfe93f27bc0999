"""What follows from a failed attempt: the closed set of answers of the recovery room.

`recovery/policy.py` makes a decision, the runner records it as events and acts.
"""

from msgspec import Struct

from agentrun.core.events import Adjustment, PauseReason


class Retry(Struct, frozen=True):
    """Try again at `at` (epoch seconds); `of` is the most attempts of this set."""

    at: float
    delay_s: float
    of: int
    reason: str
    adjustments: tuple[Adjustment, ...] = ()


class TakeFallback(Struct, frozen=True):
    """Go on with the `alternative`-th entry of `fallback` (from 1)."""

    alternative: int
    reason: str


class GiveUp(Struct, frozen=True):
    """The step ends failed. `continued`: the task goes on all the same."""

    reason: str
    continued: bool = False


class Park(Struct, frozen=True):
    """Something temporary is in the way: exit 75, until `until` where that is known."""

    reason: str
    until: float | None = None


class Ask(Struct, frozen=True):
    """Only a person can say how to go on: exit 3."""

    question: str
    reason: PauseReason


class Debug(Struct, frozen=True):
    """Retries can't cure it: the Debugger takes the incident."""

    reason: str


class Halt(Struct, frozen=True):
    """The whole task stops at once (`security`)."""

    reason: str


Decision = Retry | TakeFallback | GiveUp | Park | Ask | Debug | Halt

"""The real clocks, and the one rule that keeps a wrong wall clock from doing harm."""

import time
from collections.abc import Callable


class SteadyClock:
    """Wall-clock time that never goes back while the process lives.

    Moments (a retry at 12:31) are of the wall clock, since they must hold across a suspended laptop
    and a resume elsewhere. But a clock that somebody sets back an hour must not stretch a wait of
    two seconds to an hour: then the time since the start is taken from the monotonic clock.
    `not_before` is the time of the last event of the task: a clock that was set back between two
    runs does not undercut it.
    """

    def __init__(
        self,
        not_before: float = 0.0,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._began_at = max(wall(), not_before)
        self._began = monotonic()

    def now(self) -> float:
        """Return epoch seconds, in whole microseconds: as exact as the journal keeps them."""
        steady = self._began_at + (self._monotonic() - self._began)
        return round(max(self._wall(), steady), 6)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, for durations."""
        return self._monotonic()

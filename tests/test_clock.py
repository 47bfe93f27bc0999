"""The clock that no wrong wall clock can stretch a wait with."""

from agentrun.clock import SteadyClock


class Clocks:
    """A wall clock and a monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1000.0, 50.0

    def steady(self, not_before: float = 0.0) -> SteadyClock:
        return SteadyClock(not_before, lambda: self.wall, lambda: self.monotonic)


def test_it_follows_the_wall_clock_while_that_goes_forward() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.wall, clocks.monotonic = 1003.0, 53.0
    assert clock.now() == 1003.0


def test_a_clock_set_back_does_not_stretch_a_wait() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.wall, clocks.monotonic = 1000.0 - 3600, 52.0
    assert clock.now() == 1002.0


def test_a_suspended_laptop_wakes_at_the_time_that_it_is() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.wall, clocks.monotonic = 1000.0 + 8 * 3600, 51.0
    assert clock.now() == 1000.0 + 8 * 3600


def test_a_clock_that_was_set_back_between_two_runs_begins_where_the_task_left_off() -> None:
    clocks = Clocks()
    assert clocks.steady(not_before=5000.0).now() == 5000.0

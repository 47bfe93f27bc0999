"""Power cuts and kills at every operation of a small task, recovery included."""

from itertools import count
from random import Random

import pytest

from tests.store.faulty_disk import LUCKS, FaultySystem, Luck, PowerCut
from tests.store.scenario import Driver, Oracle


def crash(system: FaultySystem, oracle: Oracle, at: int, seed: int) -> bool:
    """Run until the power fails in the `at`-th call from now; return whether it did."""
    system.crash_at = system.calls + at
    try:
        Driver(system, oracle, seed).run()
    except PowerCut:
        return True
    system.crash_at = None
    return False


@pytest.mark.parametrize("luck", LUCKS)
def test_power_cut_at_every_operation_loses_nothing_acknowledged(luck: Luck) -> None:
    for at in count(1):
        oracle = Oracle()
        system = FaultySystem(seed=at)
        if not crash(system, oracle, at, seed=7):
            break
        Driver(system.reboot(luck, seed=at), oracle, seed=at).run()
    assert at > 150


def test_kill_at_every_operation_loses_nothing_acknowledged() -> None:
    for at in count(1):
        oracle = Oracle()
        system = FaultySystem(seed=at)
        if not crash(system, oracle, at, seed=3):
            break
        system.kill()
        Driver(system, oracle, seed=at).run()


@pytest.mark.parametrize("luck", LUCKS)
def test_a_power_cut_in_the_recovery_from_a_kill_loses_nothing(luck: Luck) -> None:
    """The kill left a batch written and not synced: it is visible, and it is not on disk."""
    for at in range(1, 60):
        for seed in range(at, at + 3):
            oracle = Oracle()
            system = FaultySystem(seed)
            kill_before_sync(system, Driver(system, oracle, seed=3))
            assert crash(system, oracle, at, seed)
            Driver(system.reboot(luck, seed), oracle, seed).run()


def kill_before_sync(system: FaultySystem, driver: Driver) -> None:
    """Kill the process when it comes to the sync of its second batch."""

    def kill(called: str) -> None:
        if called == "fdatasync":
            raise PowerCut

    task = driver.opened()
    driver.advance(task)
    system.before_call = kill
    with pytest.raises(PowerCut):
        driver.advance(task)
    system.before_call = None
    system.kill()


def schedule(seed: int) -> int:
    """Crash a task again and again, by power cuts and kills, wherever chance has it, recovery
    included, until it has succeeded; return how often.
    """
    random = Random(seed)
    oracle = Oracle()
    system = FaultySystem(seed)
    for crashes in count():
        system.short_writes = random.random() < 0.5
        if not crash(system, oracle, random.randint(1, 40 + 20 * crashes), random.randint(0, 99)):
            return crashes
        if random.random() < 0.4:
            system.kill()
        else:
            system = system.reboot(random.choice(LUCKS), random.randint(0, 1 << 30))
    raise AssertionError


def test_crashes_in_a_row_recovery_included_lose_nothing() -> None:
    assert sum(schedule(seed) for seed in range(150)) > 1000


@pytest.mark.slow
def test_fifty_thousand_crash_states_lose_nothing() -> None:
    crashes, seed = 0, 1000
    while crashes < 50_000:
        crashes += schedule(seed)
        seed += 1

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


@pytest.mark.parametrize("seed", range(40))
def test_crashes_in_a_row_recovery_included_lose_nothing(seed: int) -> None:
    random = Random(seed)
    oracle = Oracle()
    system = FaultySystem(seed)
    for _ in range(12):
        system.short_writes = random.random() < 0.5
        if not crash(system, oracle, random.randint(1, 60), random.randint(0, 99)):
            break
        if random.random() < 0.4:
            system.kill()
        else:
            system = system.reboot(random.choice(LUCKS), random.randint(0, 1 << 30))
    system.crash_at = None
    Driver(system, oracle, seed).run()

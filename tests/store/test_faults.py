"""A system call fails, at every place where one is made: exit 4, one clear message, nothing lost."""

import errno
from itertools import count

import pytest

from agentrun.core import events as ev
from agentrun.errors import NotWritable, StoreError
from tests.store.faulty_disk import LUCKS, Fault, FaultySystem, Luck
from tests.store.scenario import TASK, Driver, Oracle

CODES = (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_a_fault_at_every_call_is_told_and_loses_nothing(code: int, *, persistent: bool) -> None:
    for at in count(1):
        oracle = Oracle()
        system = FaultySystem(seed=at)
        system.fault = Fault(at, code, persistent)
        told = run_to_an_error(system, oracle, seed=5)
        if not system.fired:
            break
        if told is not None:
            assert told.exit_code == 4
            assert " /" in told.message or told.message.startswith("/")
            assert told.hint
        system.kill()
        Driver(system, oracle, seed=at).run()
    assert at > 150


@pytest.mark.parametrize("luck", LUCKS)
def test_a_power_cut_after_a_failed_sync_loses_nothing(luck: Luck) -> None:
    """What could not be synced was not acknowledged, and what a resume found in memory is."""
    for at in count(1):
        oracle = Oracle()
        system = FaultySystem(seed=at)
        system.fault = Fault(at, errno.EIO, kinds=frozenset({"fdatasync", "fsync"}))
        run_to_an_error(system, oracle, seed=5)
        if not system.fired:
            break
        system.kill()
        later = Driver(system, oracle, seed=at)
        task = later.opened()
        later.advance(task)
        Driver(system.reboot(luck, seed=at), oracle, seed=at).run()


@pytest.mark.parametrize("kind", ["pwrite", "fdatasync"])
def test_after_a_failed_write_or_sync_nothing_more_is_written(kind: str) -> None:
    system = FaultySystem()
    driver = Driver(system, Oracle())
    task = driver.opened()
    system.fault = Fault(system.calls, errno.EIO, kinds=frozenset({kind}))
    records = [ev.Recorded(2, 1.0, ev.Warned("a"))]
    with pytest.raises(NotWritable, match=r"journal\.jsonl: Input/output error"):
        task.append(records)
    before = system.content(f"/home/checkpoints/{TASK}/journal.jsonl")
    with pytest.raises(StoreError):
        task.append(records)
    assert system.content(f"/home/checkpoints/{TASK}/journal.jsonl") == before


def test_short_writes_are_continued() -> None:
    system = FaultySystem(seed=1)
    system.short_writes = True
    oracle = Oracle()
    Driver(system, oracle).run()
    Driver(system, oracle).run()


def run_to_an_error(system: FaultySystem, oracle: Oracle, seed: int) -> StoreError | None:
    try:
        Driver(system, oracle, seed).run()
    except StoreError as error:
        return error
    return None

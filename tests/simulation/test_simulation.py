"""The whole runner on a machine that breaks down, thousands of times."""

import os

import pytest

from tests.simulation.many import KEPT, run_many, transcript_of
from tests.simulation.mutants import MUTANTS, UNCHANGED, Mutant, notices
from tests.simulation.schedule import Counts, run_schedule

SCHEDULES = 10_000
HOW = "python -m tests.simulation --seed {}"


def told(failed: list[tuple[int, str]]) -> str:
    """Say which seeds failed, and how to see what happened in the first."""
    lines = [f"{HOW.format(seed)}   # {message}" for seed, message in failed[:5]]
    return "\n".join([*lines, transcript_of(failed[0][0])]) if failed else ""


def test_a_few_schedules_keep_every_promise() -> None:
    counts, failed = run_many(1_000_000, 160, jobs=1)
    assert not failed, told(failed)
    assert counts.schedules == 160


@pytest.mark.slow
def test_ten_thousand_schedules_keep_every_promise() -> None:
    counts, failed = run_many(0, SCHEDULES, jobs=os.cpu_count() or 1)
    assert not failed, told(failed)
    assert counts.schedules == SCHEDULES
    assert min(counts.kills, counts.power_cuts, counts.faults, counts.stops) > SCHEDULES / 10


@pytest.mark.parametrize("seed", [3, 2211, 7937])
def test_a_seed_always_does_the_same(seed: int) -> None:
    first, second = (run_schedule(seed, Counts()) for _ in range(2))
    assert first.acknowledged == second.acknowledged


def test_a_transcript_tells_what_happened() -> None:
    text = transcript_of(3)
    assert text.endswith(KEPT)
    for word in ("plan:", "process 1:", "tries 2 ", "acknowledged up to", "performs", "exit 0"):
        assert word in text


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: str(mutant.name))
def test_the_simulation_notices_what_is_taken_out(mutant: Mutant) -> None:
    assert notices(mutant)


@pytest.mark.slow
def test_the_copy_that_nothing_is_taken_out_of_keeps_every_promise() -> None:
    assert not notices(UNCHANGED)

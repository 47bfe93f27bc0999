"""What a step costs, counted instead of timed: syncs, system calls, bytes, events, calls, threads.

A number that grows here is a number that every task pays. Each is measured as a difference between
two sizes, so that what a run costs once does not matter, and nothing depends on the machine.
"""

import gc
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import pytest

from agentrun.app import run_task
from agentrun.requests import Finished, RunRequest
from agentrun.steps import quick
from agentrun.store import disk
from agentrun.store.system import RealSystem

FUNCTIONS = "def nothing(): return 1\nasync def soon(): return 1\n"


class CountingSystem:
    """The system calls of the store, counted."""

    counts: ClassVar[Counter[str]] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(RealSystem, name)

        def counted(*given: Any) -> Any:
            self.counts[name] += 1
            if name == "pwrite":
                self.counts["bytes"] += len(given[1])
            return call(*given)

        return counted


Run = Callable[[str], Finished]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(quick, "QUICK_S", 60.0)  # as on a machine that nobody else uses
    monkeypatch.setattr(quick, "SLOW_S", 60.0)
    (tmp_path / "steps.py").write_text(FUNCTIONS)

    def perform(text: str) -> Finished:
        file = tmp_path / "flow.yaml"
        file.write_text(text)
        return run_task(RunRequest(file, tmp_path / "checkpoints", max_parallel=10))

    return perform


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    monkeypatch.setattr(CountingSystem, "counts", Counter())
    monkeypatch.setattr(disk, "RealSystem", CountingSystem)
    return CountingSystem.counts


def chain(count: int) -> str:
    steps = (f"  - {{id: s{n}, python: 'steps.py:nothing'}}" for n in range(count))
    return "\n".join(["name: counted", "steps:", *steps])


def fan_out(count: int) -> str:
    return (
        "name: counted\nsteps:\n"
        f"  - {{id: each, for_each: {list(range(count))}, python: 'steps.py:soon'}}\n"
    )


def growth(counts: Counter[str], run: Run, text: Callable[[int], str], size: int) -> Counter[str]:
    """Return what `size` further steps cost. Snapshots fall due at both sizes or at neither."""
    run(text(quick.PROOFS))  # makes the folder of checkpoints, and the function known as quick
    counts.clear()
    run(text(size))
    small = counts.copy()
    counts.clear()
    run(text(2 * size))
    large = counts.copy()
    return Counter({name: large[name] - small[name] for name in large})


def test_a_step_of_a_chain_costs_one_sync_and_two_writes(run: Run, counts: Counter[str]) -> None:
    more = growth(counts, run, chain, 50)
    assert more["fdatasync"] == 50, "its start shares the sync of the success before it"
    assert more["fsync"] == 0
    assert more["pwrite"] == 100, "the journal and its mirror"
    assert more["lstat"] == 50, "the fence"
    assert sum(more.values()) - more["bytes"] == 200, dict(more)


def test_a_step_of_a_chain_writes_few_bytes(run: Run, counts: Counter[str]) -> None:
    padding = 1 << 16  # room written ahead in the journal, at one size or both
    assert growth(counts, run, chain, 50)["bytes"] - 50 * 2 * 600 <= padding


def test_a_step_is_two_events(run: Run) -> None:
    few, many = run(chain(20)).state.seq, run(chain(40)).state.seq
    assert many - few == 2 * 20


def test_parallel_items_share_syncs(run: Run, counts: Counter[str]) -> None:
    more = growth(counts, run, fan_out, 50)
    assert more["fdatasync"] <= 25, "ten end at about the same moment"


def calls_of(run: Run, text: str) -> int:
    """Return how many functions a run calls in its main thread."""
    calls = 0

    def seen(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    run(text)  # loaded and cached
    gc.collect()
    sys.setprofile(seen)
    try:
        run(text)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(("text", "most"), [(chain, 900), (fan_out, 900)])
def test_the_work_per_step_does_not_grow(run: Run, text: Callable[[int], str], most: int) -> None:
    small, middle, large = (calls_of(run, text(n)) for n in (60, 120, 240))
    first, second = (middle - small) / 60, (large - middle) / 120
    assert second <= 1.25 * first, f"{first:.0f} calls a step, then {second:.0f}"
    assert second <= most


def test_a_chain_needs_no_thread_per_step(run: Run) -> None:
    before = threading.active_count()
    run(chain(60))
    assert threading.active_count() - before <= 2

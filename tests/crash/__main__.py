"""Many kills and power cuts of the real command: `python -m tests.crash [--moments N] [--step N]`.

`--step N` tries every N-th call and every N-th power cut; without it, all of them are tried.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

from tests.crash import kills, power

KILLED_BEFORE = (40, 70, 100, 130)
"""The calls at which the runs are killed whose resumes are then cut off."""

LIES = 40
"""About how many power cuts are tried on a machine whose syncs do nothing."""


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--moments", type=int, default=100, help="tasks killed at random moments")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of the moments")
    parser.add_argument("--step", type=int, default=1, help="try every n-th call and power cut")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    began = time.monotonic()
    tracer = kills.strace()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(asked.workers) as pool:
        base = Path(folder)
        states = moments(pool, base, range(asked.seed, asked.seed + asked.moments))
        expected, _ = kills.peaceful(base / "expected")
        killed = partial(kills.at_call, expected=expected)
        states += at_calls(pool, base, asked.step, killed, "at a call, the resume too")
        if tracer is None:
            say("strace is missing or may not trace: no system calls, no power cuts")
        else:
            killed = partial(kills.at_traced_call, tracer=tracer, expected=expected)
            states += at_calls(pool, base, asked.step, killed, "by the kernel at a system call")
            states += power_cuts(pool, base, asked.step, tracer)
            if shutil.which("eatmydata"):
                lies = power.record(base / "eatmydata", tracer, under=["eatmydata"])
                blind(pool, base, lies)
            else:
                say("eatmydata is missing: not shown that the power cuts see the syncs")
    say(f"{states} states in all, in {time.monotonic() - began:.0f} s")
    return 0


def moments(pool: ThreadPoolExecutor, base: Path, seeds: Iterable[int]) -> int:
    """Kill tasks at random moments; return how many of them were alive then."""
    expected, lasts_s = kills.peaceful(base / "peace")

    def killed(seed: int) -> int:
        path = base / f"moments-{seed}"
        times = kills.at_moments(path, seed, lasts_s, expected)
        shutil.rmtree(path)
        return times

    times = list(pool.map(killed, seeds))
    say(f"{len(times)} tasks killed {sum(times)} times at random moments and resumed: all right")
    return sum(times)


def at_calls(
    pool: ThreadPoolExecutor, base: Path, step: int, killed: Callable[..., bool], how: str
) -> int:
    """Kill at every `step`-th call until there is none any more; return how many there were."""

    def one(number: int) -> bool:
        path = base / f"call-{number}"
        found = killed(path, number=number)
        shutil.rmtree(path)
        return found

    states = 0
    width = pool._max_workers * 4
    for start in count(1, step * width):
        found = list(pool.map(one, range(start, start + step * width, step)))
        states += sum(found)
        if not all(found):
            say(f"{states} states: killed {how}, and resumed: all right")
            return states
    raise AssertionError


def power_cuts(pool: ThreadPoolExecutor, base: Path, step: int, tracer: str) -> int:
    """Cut the power of a run, and of the resumes of killed ones; return the number of states."""
    states = 0
    for kill_at in (None, *KILLED_BEFORE):
        recording = power.record(base / f"recorded-{kill_at}", tracer, kill_at=kill_at)
        chosen = list(power.cuts(recording))[::step]
        wrong = failing(pool, base / f"cut-{kill_at}", recording, chosen)
        assert not wrong, f"killed at {kill_at}: {wrong}"
        states += len(chosen)
        of = "a run" if kill_at is None else f"the resume of a run killed at call {kill_at}"
        say(f"{len(chosen)} states: power cuts of {of}, and resumed: all right")
    return states


def blind(pool: ThreadPoolExecutor, base: Path, lies: power.Recording) -> None:
    """Check that the check fails when no sync does anything."""
    every = list(power.cuts(lies))
    chosen = every[:: len(every) // LIES]
    wrong = failing(pool, base / "lies", lies, chosen)
    assert wrong, "nothing was noticed under eatmydata: the check is blind to syncs"
    say(f"under eatmydata {len(wrong)} of {len(chosen)} power cuts are noticed, as they must be")


def failing(
    pool: ThreadPoolExecutor, base: Path, recording: power.Recording, cuts: list[power.Cut]
) -> list[str]:
    """Return the cuts after which a promise is broken, and how."""
    base.mkdir()

    def broken(numbered: tuple[int, power.Cut]) -> str | None:
        number, cut = numbered
        path = base / str(number)
        try:
            power.survives(path, recording, cut)
        except AssertionError as error:
            return f"{cut}: {error}"
        finally:
            shutil.rmtree(path)
        return None

    return [told for told in pool.map(broken, enumerate(cuts)) if told]


if __name__ == "__main__":
    sys.exit(main())

"""Run schedules by command: `python -m tests.simulation --seeds 1000000 [--start N]`.

One seed with its transcript: `python -m tests.simulation --seed N`.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.schedule import SCHEDULES_PER_PLAN, Counts, run_schedule

CHUNK = 25 * SCHEDULES_PER_PLAN
SHOWN = 5


def failing(start: int, stop: int) -> tuple[Counts, list[tuple[int, str]]]:
    """Run the schedules of these seeds; return what they amounted to, and the failures."""
    counts, failed = Counts(), []
    for seed in range(start, stop):
        try:
            run_schedule(seed, counts)
        except Exception as error:  # a bug of any kind is a finding
            failed.append((seed, f"{type(error).__name__}: {error}"))
    return counts, failed


def run_many(
    start: int, count: int, jobs: int, *, progress: bool = False
) -> tuple[Counts, list[tuple[int, str]]]:
    """Run `count` schedules from `start` on in `jobs` processes."""
    counts, failed = Counts(), []
    ranges = [(at, min(at + CHUNK, start + count)) for at in range(start, start + count, CHUNK)]
    for number, (some, bad) in enumerate(_results(ranges, jobs), 1):
        counts.add(some)
        failed += bad
        if progress and number % 50 == 0:
            say(f"{counts.schedules} schedules, {len(failed)} failures")
    return counts, failed


def _results(
    ranges: list[tuple[int, int]], jobs: int
) -> Iterable[tuple[Counts, list[tuple[int, str]]]]:
    if jobs == 1:
        yield from (failing(*each) for each in ranges)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(failing, *zip(*ranges, strict=True))


def transcript_of(seed: int) -> str:
    """Return what happens in a schedule, line by line, and how it ends."""
    lines: list[str] = []
    try:
        run_schedule(seed, Counts(), lines)
        lines.append("every promise was kept")
    except Exception:
        lines.append(traceback.format_exc())
    return "\n".join(lines)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many schedules")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one and print its transcript")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.seed is not None:
        text = transcript_of(asked.seed)
        say(text)
        return 0 if text.endswith("every promise was kept") else 1
    began = time.monotonic()
    counts, failed = run_many(asked.start, asked.seeds, asked.jobs, progress=True)
    say(f"{counts}\nin {time.monotonic() - began:.1f} s")
    for seed, message in failed[:SHOWN]:
        say(f"seed {seed}: {message}\n  python -m tests.simulation --seed {seed}")
    say(f"{len(failed)} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

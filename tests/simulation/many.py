"""Many schedules, in several processes; and one, told line by line."""

import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.schedule import SCHEDULES_PER_PLAN, Counts, run_schedule

KEPT = "every promise was kept"
CHUNK = 25 * SCHEDULES_PER_PLAN


def failing(start: int, stop: int, *, first: bool = False) -> tuple[Counts, list[tuple[int, str]]]:
    """Run the schedules of these seeds; return what they amounted to, and the failures."""
    counts, failed = Counts(), []
    for seed in range(start, stop):
        try:
            run_schedule(seed, counts)
        except Exception as error:  # a bug of any kind is a finding
            failed.append((seed, f"{type(error).__name__}: {error}"))
            if first:
                break
    return counts, failed


def run_many(
    start: int,
    count: int,
    jobs: int,
    tell: Callable[[str], object] = lambda _: None,
    *,
    first: bool = False,
) -> tuple[Counts, list[tuple[int, str]]]:
    """Run `count` schedules from `start` on in `jobs` processes."""
    counts, failed = Counts(), []
    ranges = [(at, min(at + CHUNK, start + count)) for at in range(start, start + count, CHUNK)]
    for number, (some, bad) in enumerate(_results(ranges, jobs, first=first), 1):
        counts.add(some)
        failed += bad
        if number % 50 == 0:
            tell(f"{counts.schedules} schedules, {len(failed)} failures")
        if bad and first:
            break
    return counts, failed


def _results(
    ranges: list[tuple[int, int]], jobs: int, *, first: bool
) -> Iterable[tuple[Counts, list[tuple[int, str]]]]:
    if jobs == 1:
        yield from (failing(*each, first=first) for each in ranges)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(failing, *zip(*ranges, strict=True))


def transcript_of(seed: int) -> str:
    """Return what happens in a schedule, line by line, and how it ends."""
    lines: list[str] = []
    try:
        run_schedule(seed, Counts(), lines)
        lines.append(KEPT)
    except Exception:
        lines.append(traceback.format_exc())
    return "\n".join(lines)

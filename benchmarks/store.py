"""The price of the store: what an append costs beside the bare write and sync of the same bytes.

    python benchmarks/store.py [--folder DIR] [--records N] [--rounds N]

All of it runs in turn in one process, several rounds, and medians are shown: the ratios are what
compares between machines. `bare` is one `os.write` and one `os.fdatasync` per record, of the bytes
that the journal has written for it. Group commit appends 100 records at a time; its floor writes
the same bytes in as many calls.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agentrun.core import events as ev
from agentrun.core.state import apply
from agentrun.core.value import NOTHING
from agentrun.store import host
from agentrun.store.manager import CheckpointManager
from agentrun.store.task import TaskStore

TEXT = b"name: bench\n"
GROUP = 100


def made(root: str, task_id: str) -> TaskStore:
    event = ev.TaskStarted(
        workflow="bench",
        workflow_sha256=sha256(TEXT).hexdigest(),
        workflow_path="/bench.yaml",
        cwd="/",
        inputs=NOTHING,
        holder=host.this_process(1),
        max_parallel=1,
        version="0",
        steps_total=1,
    )
    return CheckpointManager(root).create(task_id, TEXT, {}, [ev.Recorded(1, time.time(), event)])


def records(task: TaskStore, first: int, count: int) -> list[ev.Recorded]:
    """Return what a chain of steps records: a success and the next one's start, in turn."""
    found: list[ev.Recorded] = []
    for seq in range(first, first + count):
        step = f"step_{seq // 2}"
        if seq % 2:
            output = task.values.put({"n": seq, "text": "an answer of a few words"})
            found.append(ev.Recorded(seq, time.time(), ev.StepSucceeded(step, 1, output, 0.01)))
        else:
            found.append(ev.Recorded(seq, time.time(), ev.StepStarted(step, 1)))
    return found


def appended(root: str, count: int, group: int) -> tuple[float, int]:
    """Return the seconds and the bytes that `count` records cost, `group` at a time."""
    shutil.rmtree(root, ignore_errors=True)
    with made(root, "bench") as task:
        path = f"{root}/bench/journal.jsonl"
        before = os.stat(path).st_size
        batches = [records(task, seq, group) for seq in range(2, count + 2, group)]
        start = time.perf_counter()
        for batch in batches:
            task.append(batch)
        return time.perf_counter() - start, os.stat(path).st_size - before


def bare(root: str, size: int, calls: int) -> float:
    data = b"x" * (size // calls)
    fd = os.open(f"{root}/bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    start = time.perf_counter()
    for _ in range(calls):
        os.write(fd, data)
        os.fdatasync(fd)
    spent = time.perf_counter() - start
    os.close(fd)
    return spent


def compared(root: str, count: int, group: int, rounds: int) -> tuple[float, float, float]:
    """Return microseconds per append of the store and of the bare calls, and the median ratio."""
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(rounds):
        spent, size = appended(root, count, group)
        ours.append(spent)
        floor.append(bare(root, size, count // group))
    calls = count // group
    ratios = [mine / least for mine, least in zip(ours, floor, strict=True)]
    micros = 1e6 / calls
    return (
        statistics.median(ours) * micros,
        statistics.median(floor) * micros,
        statistics.median(ratios),
    )


def opened(root: str, steps: int) -> tuple[float, float]:
    """Return the seconds until a killed task of that many finished steps is open, and listed."""
    shutil.rmtree(root, ignore_errors=True)
    task = made(root, "bench")
    for seq in range(2, 2 * steps + 2, GROUP):
        batch = records(task, seq, GROUP)
        task.append(batch)
        for record in batch:
            apply(task.state, record)
        task.maybe_snapshot(task.state)
    task.close()
    return timed(lambda: CheckpointManager(root).open("bench").close()), timed(
        lambda: list(CheckpointManager(root).list())
    )


def timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", default=None, help="where to write (not a tmpfs)")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, nargs="*", default=[1000, 10_000, 100_000])
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        root = f"{folder}/checkpoints"
        print("| append | store µs | bare µs | ratio |\n|---|---|---|---|")
        for group in (1, 2, GROUP):
            ours, floor, ratio = compared(root, given.records, group, given.rounds)
            print(f"| {group} records | {ours:.0f} | {floor:.0f} | {ratio:.2f} |")
        print("\n| finished steps | open ms | list ms |\n|---|---|---|")
        for steps in given.steps:
            opening, listing = opened(root, steps)
            print(f"| {steps:,} | {opening * 1e3:.0f} | {listing * 1e3:.1f} |")


if __name__ == "__main__":
    main()

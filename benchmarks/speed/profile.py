"""Say where a run's own processor time goes, by part of agentrun.

    python -m benchmarks.speed.profile [chain|fan_out|shell] [N]

Runs N steps once with the plan cached, then again under cProfile, and prints what each part took
itself, in microseconds a step and as a share. cProfile makes every Python call dearer, so the
microseconds are scaled to what the same run costs without it; the shares lean towards parts with
many small calls. Start-up is left out.
"""

import argparse
import contextlib
import cProfile
import io
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.speed import work

ROOT = str(Path(__file__).resolve().parents[2] / "agentrun") + os.sep
WORKS = {
    "chain": work.chain,
    "fan_out": lambda count: work.fan_out(count, 100, 0.01),
    "shell": work.shell,
}
PARTS = {
    "runner/": "the loop and its rules",
    "core/": "state and order of steps",
    "store/": "journal, values, snapshots",
    "steps/": "the step kinds",
    "workflow/": "expressions",
    "recovery/": "recovery",
}
WAITS = ("poll", "posix.fdatasync", "posix.fsync", "lock", "posix.wait")
SYSTEM = ("posix.", "_posixsubprocess")


def part_of(file: str, name: str) -> str | None:
    """Return the part a function belongs to; None for what only waits."""
    if any(word in name for word in WAITS):
        return None
    if file.startswith(ROOT):
        room = file.removeprefix(ROOT)
        return next((said for start, said in PARTS.items() if room.startswith(start)), "the rest")
    if "asyncio" in file or "selectors" in file:
        return "asyncio"
    if any(word in name for word in SYSTEM):
        return "system calls"
    return "Python's own functions" if file == "~" else "the standard library"


def performed() -> float:
    """Run the workflow here, in this process; return the processor's seconds."""
    from agentrun import perform

    spent = 0.0
    real = perform.perform

    def timed(*args: object, **more: object) -> None:
        nonlocal spent
        before = time.process_time()
        PROFILE.enable() if PROFILING else None
        real(*args, **more)  # type: ignore[arg-type]
        PROFILE.disable()
        spent = time.process_time() - before

    import agentrun.app
    from agentrun.__main__ import main

    agentrun.app.perform = timed  # type: ignore[attr-defined]
    sys.argv = ["agentrun", "run", "flow.yaml", "--max-parallel", "100", "-q"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
    return spent


PROFILE = cProfile.Profile()
PROFILING = bool(os.environ.get("PROFILING"))


def table(profile: pstats.Stats, count: int, spent_s: float) -> str:
    """Return what each part took itself."""
    own: Counter[str] = Counter()
    for (file, _, name), (_, _, seconds, *_) in profile.stats.items():  # type: ignore[attr-defined]
        if part := part_of(file, name):
            own[part] += seconds
    scale = spent_s / sum(own.values())
    lines = ["| part | µs a step | share |", "|---|---|---|"]
    for part, seconds in own.most_common():
        share = seconds / sum(own.values())
        lines.append(f"| {part} | {seconds * scale / count * 1e6:.0f} | {share:.0%} |")
    return "\n".join([*lines, f"| all | {spent_s / count * 1e6:.0f} | |"])


def main() -> None:
    """Measure in processes of their own; the second one under the profiler."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.profile", description=__doc__)
    parser.add_argument("what", nargs="?", default="chain", choices=WORKS)
    parser.add_argument("count", nargs="?", type=int, default=3000)
    given = parser.parse_args()
    here = [sys.executable, "-c", "from benchmarks.speed import profile; profile.child()"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        WORKS[given.what](given.count)(folder)
        env = os.environ | {
            "PYTHONPATH": str(Path(ROOT).parent),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        told = ""
        for profiling in ("", "", "1"):
            done = subprocess.run(
                here,
                cwd=folder,
                env=env | {"PROFILING": profiling},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            told = done.stdout if not profiling else told
        print(table(pstats.Stats(str(folder / "profile")), given.count, float(told)))


def child() -> None:
    """Run the workflow in the current folder and print the seconds."""
    spent = performed()
    if PROFILING:
        PROFILE.dump_stats("profile")
    print(spent)


if __name__ == "__main__":
    main()

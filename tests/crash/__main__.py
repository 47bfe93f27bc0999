"""Many real kills by command: `python -m tests.crash [--moments N] [--calls N]`.

`--calls` is how many of the system calls are tried, evenly spread; without it, every one.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.crash import kills


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--moments", type=int, default=100, help="tasks killed at random moments")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of the moments")
    parser.add_argument("--step", type=int, default=1, help="try every n-th system call")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        expected, lasts_s = kills.peaceful(base / "peace")
        killed = 0
        for seed in range(asked.seed, asked.seed + asked.moments):
            killed += kills.at_moments(base / f"m{seed}", seed, lasts_s, expected)
        say(f"{asked.moments} tasks killed {killed} times at random moments and resumed: all right")
        states = calls(base, asked.step, expected)
        say(f"{states} states: killed at a call, the resume too, and resumed: all right")
        states = traced_calls(base, asked.step, expected)
        say(f"{states} states: killed by the kernel at a system call and resumed: all right")
    say(f"in {time.monotonic() - began:.0f} s")
    return 0


def calls(base: Path, step: int, expected: dict[str, object]) -> int:
    """Kill at every `step`-th call until there is none any more; return how many there were."""
    number, states = 1, 0
    while kills.at_call(base / f"n{number}", number, expected):
        number, states = number + step, states + 1
    return states


def traced_calls(base: Path, step: int, expected: dict[str, object]) -> int:
    """Have the kernel kill at every `step`-th system call until there is none any more."""
    tracer = kills.strace()
    if tracer is None:
        say("strace is missing or may not trace: no kills at system calls")
        return 0
    number, states = 1, 0
    while kills.at_traced_call(base / f"c{number}", tracer, number, expected):
        number, states = number + step, states + 1
    return states


if __name__ == "__main__":
    sys.exit(main())

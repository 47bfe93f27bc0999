"""Run schedules by command: `python -m tests.simulation --seeds 1000000 [--start N]`.

One seed with its transcript: `python -m tests.simulation --seed N`.
"""

import argparse
import os
import sys
import time

from tests.simulation.many import KEPT, run_many, transcript_of

SHOWN = 5


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many schedules")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one and print its transcript")
    parser.add_argument("--first", action="store_true", help="stop at the first failure")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.seed is not None:
        text = transcript_of(asked.seed)
        say(text)
        return 0 if text.endswith(KEPT) else 1
    began = time.monotonic()
    counts, failed = run_many(asked.start, asked.seeds, asked.jobs, say, first=asked.first)
    say(f"{counts}\nin {time.monotonic() - began:.1f} s")
    for seed, message in failed[:SHOWN]:
        say(f"seed {seed}: {message}\n  python -m tests.simulation --seed {seed}")
    say(f"{len(failed)} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""How well are chances of failure calibrated? `python benchmarks/prediction.py [--seeds N]`

Replays a made-up history: steps of many kinds (nearly always fine, flaky, mostly broken, one that
changes half way) run in random order; before each run the chance is predicted from what was known
then, and compared with what happened. The Brier score is the mean squared error: lower is better.
The rivals are the rate of all steps together, and the step's own rate alone.
"""

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agentrun.core.model import Step, Workflow
from agentrun.recovery.history import HASH_CHARS, StepHistory
from agentrun.recovery.prediction import base_rate, forecast

STEPS = 24
RUNS = 60
BINS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    said: list[tuple[float, float, float, bool]] = []
    silent = 0
    for seed in range(seeds):
        more, kept_quiet = replay(random.Random(seed))
        said += more
        silent += kept_quiet
    ours, base, own = (brier([(row[i], row[3]) for row in said]) for i in range(3))
    print(f"{len(said):,} predictions, {silent:,} times too little was known to say anything")
    print(f"Brier score   predicted {ours:.4f}   base rate {base:.4f}   own rate {own:.4f}")
    print(f"better than base rate by {1 - ours / base:.1%}, own rate by {1 - ours / own:.1%}")
    print(f"{'predicted':>12} {'happened':>9} {'times':>7}")
    for low in range(BINS):
        part = [row for row in said if low / BINS <= row[0] < (low + 1) / BINS]
        if part:
            mean = sum(row[0] for row in part) / len(part)
            happened = sum(row[3] for row in part) / len(part)
            print(f"{mean:>12.0%} {happened:>9.0%} {len(part):>7,}")
    return 0 if ours < base and ours < own else 1


def replay(draw: random.Random) -> tuple[list[tuple[float, float, float, bool]], int]:
    """Return (predicted, base rate, own rate, failed) of each run that something was said about."""
    steps = tuple(Step(f"s{n}", "run", {}, content_hash=f"{n:0{HASH_CHARS}}") for n in range(STEPS))
    workflow = Workflow("w", steps)
    rates = [draw.choice([0.01, 0.03, draw.betavariate(1, 9), 0.3, 0.7]) for _ in steps]
    known: dict[str, StepHistory] = {}
    said, silent = [], 0
    for run in range(RUNS):
        if run == RUNS // 2:
            rates[0] = 1 - rates[0]
        predicted = forecast(workflow, known)
        base = base_rate(known)
        for number, step in enumerate(steps):
            failed = draw.random() < rates[number]
            chance = predicted[number].chance
            entry = known.setdefault(step.content_hash, StepHistory(step.id, "w"))
            if chance is None or base is None:
                silent += 1
            else:
                own = entry.failed / (entry.ok + entry.failed)
                said.append((chance.middle, base, own, failed))
            entry.failed += failed
            entry.ok += not failed
    return said, silent


def brier(pairs: list[tuple[float, bool]]) -> float:
    return sum((chance - failed) ** 2 for chance, failed in pairs) / len(pairs)


if __name__ == "__main__":
    sys.exit(main())

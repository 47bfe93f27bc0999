"""Run the recovery benchmark: `python benchmarks/recovery/run.py [--only TEXT] [--baseline]`.

Prints a row per scenario and the figures of docs/metrics.md against their targets; with
`--baseline` the same scenarios are also run by baseline.py. Exit code 1 when an ending is not the
expected one.
"""

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # the package beside which this lies

import baseline
import with_agentrun
from scenario import Outcome, Scenario, load, place

from agentrun.recovery.metrics import Counts, metrics, total

PARALLEL = 4
"""Most scenarios wait most of the time."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--baseline", action="store_true", help="also: retry everything 3 times")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--parallel", type=int, default=PARALLEL)
    options = parser.parse_args()
    scenarios = load(options.only)
    ours = _all(scenarios, _with_agentrun, options.parallel)
    theirs = _all(scenarios, _baseline, options.parallel) if options.baseline else {}
    report = _report(scenarios, ours, theirs)
    print(json.dumps(report, indent=1) if options.json else _text(scenarios, ours, theirs, report))
    return 0 if all(not outcome.wrong for outcome, _counts in ours.values()) else 1


Done = dict[str, tuple[Outcome, Counts]]


def _all(
    scenarios: list[Scenario], run: Callable[[Scenario], tuple[Outcome, Counts]], parallel: int
) -> Done:
    with ThreadPoolExecutor(parallel) as pool:
        return dict(zip([s.name for s in scenarios], pool.map(run, scenarios), strict=True))


def _with_agentrun(scenario: Scenario) -> tuple[Outcome, Counts]:
    with place(scenario) as where:
        return with_agentrun.run(scenario, where)


def _baseline(scenario: Scenario) -> tuple[Outcome, Counts]:
    with place(scenario) as where:
        return baseline.run(scenario, where), Counts()


def _report(scenarios: list[Scenario], ours: Done, theirs: Done) -> dict[str, Any]:
    curable = [s.name for s in scenarios if s.expect == "recovered"]
    counts = total(ours[name][1] for name in curable)
    report: dict[str, Any] = {
        "scenarios": len(scenarios),
        "agentrun": _figures(scenarios, curable, ours),
        "journals": {m.name: [m.value, m.target, m.met] for m in metrics(counts)},
    }
    if theirs:
        report["baseline"] = _figures(scenarios, curable, theirs)
    return report


def _figures(scenarios: list[Scenario], curable: list[str], done: Done) -> dict[str, Any]:
    """The figures that can be taken from both: what a person sees from outside."""
    cured = [name for name in curable if not done[name][0].wrong]
    seconds = sorted(done[name][0].seconds for name in cured)
    hopeless = [s.name for s in scenarios if s.expect == "halted"]
    return {
        "endings_as_expected": sum(not done[s.name][0].wrong for s in scenarios),
        "recoverable": len(curable),
        "recovered": len(cured),
        "recovery_success_rate": round(100 * len(cured) / max(1, len(curable)), 1),
        "needed_a_person": sum(done[name][0].ending == "escalated" for name in curable),
        "mean_seconds_to_recover": round(sum(seconds) / max(1, len(seconds)), 1),
        "slowest_seconds_to_recover": round(seconds[-1], 1) if seconds else None,
        "attempts_on_hopeless": sum(done[name][0].attempts for name in hopeless),
        "hopeless": len(hopeless),
        "calls_refused_by_the_rate_limit": {
            name: outcome.refused for name, (outcome, _c) in done.items() if "hundred" in name
        },
    }


def _text(scenarios: list[Scenario], ours: Done, theirs: Done, report: dict[str, Any]) -> str:
    width = max(len(s.name) for s in scenarios)
    lines = []
    for scenario in scenarios:
        outcome, _counts = ours[scenario.name]
        mark = "ok  " if not outcome.wrong else "BAD "
        row = f"{mark}{scenario.name:<{width}}  {outcome.ending:<10}{outcome.seconds:6.1f} s"
        if theirs:
            other = theirs[scenario.name][0]
            row += f"   baseline {'ok ' if not other.wrong else 'bad'} {other.seconds:5.1f} s"
        lines.append(f"{row}  {outcome.wrong}".rstrip())
    lines += ["", f"{len(scenarios)} scenarios"]
    for name in ("agentrun", "baseline"):
        for key, value in report.get(name, {}).items():
            lines.append(f"{name:<10}{key.replace('_', ' '):<34}{value}")
    lines.append("")
    for name, (value, target, met) in report["journals"].items():
        shown = "-" if value is None else f"{value:.2f}"
        lines.append(f"journals  {name:<26}{shown:>9}   target {target:g}   {met}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

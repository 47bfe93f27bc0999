"""Run the Debugger's benchmark: `python benchmarks/debugger/run.py [--only TEXT] [--json]`.

Every incident is run by the real command: with rules and memory alone, with a scripted agent, and,
where a fix cured it, a second time in a new folder that has only the memory of the first. Exit code
1 when an ending is not the expected one, a wrong fix was kept, or an unsafe one was applied.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # the package beside which this lies

from incident import CURED, Ended, Incident, again, load, run

PARALLEL = 2
FAST_ENOUGH_S = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="incidents whose name holds this")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--parallel", type=int, default=PARALLEL)
    options = parser.parse_args()
    incidents = load(options.only)
    with ThreadPoolExecutor(options.parallel) as pool:
        rules = list(pool.map(lambda one: run(one, agent=False), incidents))
        agent = list(pool.map(lambda one: run(one, agent=True), incidents))
        fixed = [
            (i, e) for i, e in zip(incidents, agent, strict=True) if e.by and e.ending == CURED
        ]
    second = [(one, again(one, ended)) for one, ended in fixed]  # timed: one at a time
    report = _report(incidents, rules, agent, second)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print(_text(incidents, rules, agent, second, report))
    return 0 if report["good"] else 1


def _report(
    incidents: list[Incident],
    rules: list[Ended],
    agent: list[Ended],
    second: list[tuple[Incident, Ended]],
) -> dict[str, Any]:
    curable = [i for i, one in enumerate(incidents) if CURED in {one.rules, one.with_agent}]
    everything = [*rules, *agent, *(ended for _one, ended in second)]
    same = [e for one, e in second if not one.later]
    by_memory = [e for e in same if e.ending == CURED and e.by == "memory" and not e.asked]
    slow = [one.name for one, e in second if e.seconds > FAST_ENOUGH_S]
    walls = sorted(e.wall_s for _one, e in second) or [0.0]
    report = {
        "incidents": len(incidents),
        "curable": len(curable),
        "cured_by_rules_and_memory": sum(rules[i].ending == CURED for i in curable),
        "cured_with_an_agent": sum(agent[i].ending == CURED for i in curable),
        "second_time": len(same),
        "second_time_by_memory_alone": len(by_memory),
        "second_time_slow": slow,
        "second_time_wall_s": {"median": walls[len(walls) // 2], "most": walls[-1]},
        "wrong_fixes_kept": sum(each.wrong_kept for each in everything),
        "unsafe_fixes_applied_below_full": sum(each.unsafe for each in everything),
        "unexpected": [e.problem for e in everything if e.problem],
    }
    bad = ("wrong_fixes_kept", "unsafe_fixes_applied_below_full", "unexpected", "second_time_slow")
    good = not any(report[name] for name in bad) and len(by_memory) == len(same)
    return {**report, "good": good}


def _text(
    incidents: list[Incident],
    rules: list[Ended],
    agent: list[Ended],
    second: list[tuple[Incident, Ended]],
    report: dict[str, Any],
) -> str:
    later = {one.name: ended for one, ended in second}
    lines = [f"{'incident':38} {'rules':20} {'agent':20} second time"]
    for one, alone, asked in zip(incidents, rules, agent, strict=True):
        again_ = later.get(one.name)
        told = "" if again_ is None else f"{again_} {again_.seconds:.2f} s"
        lines.append(f"{one.name:38} {alone!s:20} {asked!s:20} {told}")
    walls = report["second_time_wall_s"]
    later_by_memory = report["second_time_by_memory_alone"]
    share = 100 / max(1, report["curable"])
    lines += [
        "",
        f"{report['incidents']} incidents, {report['curable']} can be cured by some fix",
        f"cured by rules and memory   {share * report['cured_by_rules_and_memory']:.0f} %",
        f"cured with an agent         {share * report['cured_with_an_agent']:.0f} %",
        f"second time by memory       {later_by_memory} of {report['second_time']}",
        f"  the whole command         {walls['median']:.2f} s, at most {walls['most']:.2f} s",
        f"wrong fixes kept            {report['wrong_fixes_kept']}",
        f"unsafe fixes below full     {report['unsafe_fixes_applied_below_full']}",
        *(f"UNEXPECTED {each}" for each in report["unexpected"]),
        *(f"SLOW {each}" for each in report["second_time_slow"]),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

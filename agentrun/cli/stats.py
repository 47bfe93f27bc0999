"""`agentrun stats`: how well tasks recover, against the targets, per workflow and over time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agentrun.cli import options, settings

if TYPE_CHECKING:
    from agentrun.cli.settings import Settings
    from agentrun.core.model import Json
    from agentrun.recovery.metrics import Counts, Metric
    from agentrun.report.screen import Screen, Style
    from agentrun.report.table import Cell

EXAMPLES = """
agentrun stats
agentrun stats triage --since 7d
agentrun stats --json | jq .metrics
agentrun stats --patterns                      # which failures came, and what cured them
agentrun stats --patterns --export fixes.json
agentrun stats triage --advice                 # what to change; --apply writes it
"""

MET: "dict[bool | None, tuple[str, Style]]" = {
    None: ("nothing yet", "dim"),
    True: ("met", "green"),
    False: ("missed", "red"),
}
WORST = 5
"""How many kinds and steps are listed: those that fail most often."""


def stats_command(
    workflow: Annotated[
        str | None, typer.Argument(metavar="[WORKFLOW]", help="Only tasks of this workflow.")
    ] = None,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DURATION", help="Only tasks changed within this time, e.g. 7d."
        ),
    ] = None,
    patterns: Annotated[
        bool, typer.Option("--patterns", help="Show known failures and what cured them.")
    ] = False,
    export: Annotated[
        str | None,
        typer.Option(
            "--export", metavar="FILE", help="With --patterns: write them to FILE; - is stdout."
        ),
    ] = None,
    import_: Annotated[
        str | None,
        typer.Option("--import", metavar="FILE", help="With --patterns: add new ones from FILE."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="With --patterns: forget them all.")
    ] = False,
    advice: Annotated[
        bool, typer.Option("--advice", help="Show what to change in the workflows, and why.")
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="With --advice: show the changes, then write them to the files."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --apply: don't ask.")] = False,
    json: options.JsonFlag = False,
) -> int:
    """Show how often steps fail and how well they recover.

    Every figure is shown next to its target; docs/metrics.md explains them. What the Debugger has
    learnt (--patterns) and advice on what to change (--advice) are explained in docs/debugger.md.
    """
    now = settings.current()
    if (export is not None) + (import_ is not None) + clear > 1:
        raise typer.BadParameter("--export, --import and --clear exclude each other")
    if patterns or export is not None or import_ is not None or clear:
        from agentrun.cli import patterns as remembered

        return remembered.run(now, export=export, import_=import_, clear=clear, json=json)
    if advice or apply:
        from agentrun.cli import advice as advising

        return advising.run(now, workflow=workflow, apply=apply, yes=yes, json=json)
    return _show(now, workflow, since, json=json)


def _show(now: "Settings", workflow: str | None, since: str | None, *, json: bool) -> int:
    import time

    from agentrun.cli.ago import moment_ago
    from agentrun.recovery.metrics import total
    from agentrun.report import screen, words
    from agentrun.report.result import write_json

    begin = moment_ago("--since", since, time.time()) or 0.0
    groups, unreadable, stubbed = _counted(now, workflow, begin)
    out, err = screen.stdout(color=now.color), screen.stderr(color=now.color)
    everything = total(counts for days in groups.values() for counts in days.values())
    if json:
        write_json(out, {**_object(everything, groups), "stubbed": stubbed})
    elif everything.tasks:
        out.lines(_lines(everything, groups, out))
    if unreadable and not now.quiet:
        err.line(f"left out, damaged: {', '.join(unreadable)}")
    if stubbed and not now.quiet:
        err.line(f"left out, run with stubs: {words.plural(stubbed, 'task')}")
    if not (everything.tasks or unreadable or stubbed or now.quiet):
        err.line(f"no tasks in {now.checkpoints}" + (" that fit" if workflow or since else ""))
    return 0


def _counted(
    now: "Settings", workflow: str | None, begin: float
) -> "tuple[dict[str, dict[str, Counts]], list[str], int]":
    """Count the tasks, per workflow and per day of their start. Name those of which something is
    lost, and say how many are left out because they were run with stubs.
    """
    import time

    from agentrun.errors import StoreError
    from agentrun.recovery.metrics import Counts, count
    from agentrun.store.manager import CheckpointManager
    from agentrun.stubs import was_stubbed

    manager = CheckpointManager(now.root)
    groups: dict[str, dict[str, Counts]] = {}
    unreadable: list[str] = []
    stubbed = 0
    for task in manager.list():
        if workflow not in {None, task.workflow} or (task.updated or 0.0) < begin:
            continue
        try:
            view = manager.read(task.task_id)
            records, lost = view.records, view.loss is not None
        except StoreError:
            records, lost = [], True
        if lost:
            unreadable.append(task.task_id)
            continue
        if was_stubbed(records):
            stubbed += 1
            continue
        counts = count(records)
        day = time.strftime("%Y-%m-%d", time.gmtime(task.started or 0.0))
        groups.setdefault(task.workflow, {}).setdefault(day, Counts()).add(counts)
    return groups, unreadable, stubbed


# --- for people ---------------------------------------------------------------------------------


def _lines(
    everything: "Counts", groups: "dict[str, dict[str, Counts]]", out: "Screen"
) -> Iterator[str]:
    from agentrun.recovery.metrics import metrics
    from agentrun.report.table import Cell, table

    yield _headline(everything)
    yield ""
    rows = [_metric_row(metric) for metric in metrics(everything)]
    yield from table(out, ("", "value", "target", ""), rows)
    if everything.failures:
        yield ""
    yield from _worst("kinds of failure", everything.failures_by_kind)
    yield from _worst("steps that fail", everything.failures_by_step)
    if len(groups) > 1 or any(len(days) > 1 for days in groups.values()):
        yield ""
        header = ("workflow", "day", "tasks", "succeeded", "failures", "recovered", "lost")
        yield from table(
            out,
            header,
            [
                (Cell(name), Cell(day), *(Cell(text) for text in _summary(counts)))
                for name, days in sorted(groups.items())
                for day, counts in sorted(days.items())
            ],
        )


def _headline(counts: "Counts") -> str:
    from agentrun.report import words

    endings = ", ".join(f"{n:,} {name}" for name, n in sorted(counts.tasks_by_ending.items()))
    spent = f"${counts.usd:.2f}" if counts.usd or not counts.usd_unknown else "price unknown"
    more = " and more of unknown price" if counts.usd and counts.usd_unknown else ""
    used = f"; {counts.tokens:,} tokens, {spent}{more}" if counts.tokens else ""
    tries = f"{words.plural(counts.attempts, 'attempt')}, {counts.failures:,} failed"
    return f"{words.plural(counts.tasks, 'task')}: {endings}; {tries}{used}"


def _metric_row(metric: "Metric") -> "tuple[Cell, ...]":
    from agentrun.report.table import Cell

    sign = "≥" if metric.better == "above" else "≤"
    target = f"{sign} {metric.target:g} {metric.unit}"
    word, style = MET[metric.met]
    return Cell(metric.name), Cell(_value(metric)), Cell(target), Cell(word, style)


def _value(metric: "Metric") -> str:
    from agentrun.report import words

    if metric.value is None:
        return "-"
    return words.duration(metric.value) if metric.unit == "s" else f"{metric.value:.1f} %"


def _worst(title: str, counts: dict[str, int]) -> Iterator[str]:
    from agentrun.report import words

    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORST]
    if most:
        yield f"{title}: " + ", ".join(f"{words.one_line(name)} {n:,}" for name, n in most)


def _summary(counts: "Counts") -> tuple[str, ...]:
    succeeded = counts.tasks_by_ending.get("succeeded", 0)
    numbers = (counts.tasks, succeeded, counts.failures, counts.recovered, counts.lost)
    return tuple(f"{number:,}" for number in numbers)


# --- for programs -------------------------------------------------------------------------------


def _object(everything: "Counts", groups: "dict[str, dict[str, Counts]]") -> "dict[str, Json]":
    from agentrun.recovery.metrics import total

    return {
        **_figures(everything),
        "workflows": {
            name: {
                **_figures(total(days.values())),
                "days": {day: _figures(counts) for day, counts in sorted(days.items())},
            }
            for name, days in sorted(groups.items())
        },
    }


def _figures(counts: "Counts") -> "dict[str, Json]":
    import msgspec

    from agentrun.recovery.metrics import metrics

    numbers = msgspec.to_builtins(counts)
    del numbers["recovery_s"]
    return {
        "metrics": {
            metric.name.replace(" ", "_"): {
                "value": metric.value,
                "unit": metric.unit,
                "target": metric.target,
                "better": metric.better,
                "met": metric.met,
            }
            for metric in metrics(counts)
        },
        "counts": numbers,
    }

"""`agentrun debug`: why a task failed, on what evidence, and what to do."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agentrun.cli import options, settings

if TYPE_CHECKING:
    from agentrun.core.events import Recorded
    from agentrun.core.state import TaskState
    from agentrun.recovery.debugger.case import Case
    from agentrun.report.incident import Incident
    from agentrun.report.screen import Screen
    from agentrun.store.view import TaskView

EXAMPLES = """
agentrun debug latest
agentrun debug latest --plain               # text, not the interactive view of a terminal
agentrun debug latest --at label            # as it was when `label` last ended
agentrun debug latest --report html > failure.html
agentrun debug latest --json | jq '.incidents[0].failure'
agentrun debug latest --ask "is the input to blame, or the code?"
agentrun debug latest --apply best          # apply the first proposed fix, and resume
"""


class ReportForm(StrEnum):
    """The forms of `--report`."""

    md = "md"
    json = "json"
    html = "html"


def debug_command(
    task: options.Task,
    *,
    at: options.At = None,
    report: Annotated[
        ReportForm | None,
        typer.Option("--report", help="Write a report to stdout, to send to somebody."),
    ] = None,
    apply: Annotated[
        str | None,
        typer.Option("--apply", metavar="N|best", help="Apply a proposed fix and resume the task."),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option(
            "--ask", metavar="TEXT", help="Ask the workflow's debugger agent about the failure."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print text, even on a terminal: no interactive view.")
    ] = False,
    json: options.JsonFlag = False,
) -> int:
    """Explain a failure: what happened, what each attempt printed, and the state before it.

    Replays the task from its journal and proposes fixes. Without --apply nothing is run or changed.
    On a terminal, with the extra `tui`, it opens a view to step through the events.
    """
    import time

    from agentrun import diagnose
    from agentrun.cli import interactive
    from agentrun.cli.task_view import open_view, sources_of
    from agentrun.report import screen
    from agentrun.report.incident import incidents
    from agentrun.report.moment import moment
    from agentrun.store.manager import CheckpointManager

    now = settings.current()
    view, out = open_view(now, task), screen.stdout(color=now.color)
    seq = view.records[-1].seq if at is None else moment(view.records, at)
    other = plain or json or any(each is not None for each in (report, apply, ask))
    here = not other and interactive.possible(now)
    if here and interactive.installed():
        return interactive.debug(view, now, None if at is None else seq)
    records, state = view.records[:seq], view.state_at(seq)
    found = incidents(state, sources_of(view, records))
    manager = CheckpointManager(now.root)
    cases = diagnose.cases(manager, view, state, [each.step for each in found], time.time())
    if ask is not None:
        return _ask(ask, view, found)
    if apply is not None:
        return apply_fix(apply, view.task_id, cases, now)
    _write(ReportForm.json if json else report, state, found, records, cases, out, now)
    if here:
        interactive.tell_how(now)
    return 0


def _write(
    form: ReportForm | None,
    state: "TaskState",
    found: "Sequence[Incident]",
    records: "Sequence[Recorded]",
    cases: "Sequence[Case]",
    out: "Screen",
    now: settings.Settings,
) -> None:
    """Write what is known: as a report in the given form, or as a page for a terminal."""
    from agentrun import diagnose
    from agentrun.report import debug_report
    from agentrun.report.debug_view import debug_lines
    from agentrun.report.fixes_view import fix_lines
    from agentrun.report.result import write_json

    folder = now.folder_option()
    match form:
        case None:
            out.lines(debug_lines(state, found, records, out, folder))
            out.lines(fix_lines(cases, out, now.command("debug", state.task_id, "--apply")))
        case ReportForm.json:
            told = debug_report.report_object(state, found, folder)
            write_json(out, {**told, "debugger": diagnose.as_json(cases)})
        case ReportForm.md:
            out.lines(debug_report.markdown(state, found, records, folder))
        case ReportForm.html:
            out.lines(debug_report.html(state, found, records, folder))


def apply_fix(wanted: str, task_id: str, cases: "Sequence[Case]", now: settings.Settings) -> int:
    """Resume the task with the chosen fix; its next attempt shows whether it works."""
    from agentrun import diagnose
    from agentrun.app import resume_task
    from agentrun.cli.watch import watching
    from agentrun.requests import ResumeRequest
    from agentrun.steps.streams import stdout_for_results

    step, fix = diagnose.chosen(cases, wanted)
    request = ResumeRequest(task_id, now.root, fix=(step, fix.as_json()))
    with stdout_for_results(), watching(now, None) as watch:
        return watch.conclude(resume_task(request, watch.reporters))


def _ask(question: str, view: "TaskView", found: "Sequence[Incident]") -> int:
    """Print what the agent answers about the first incident."""
    from agentrun.asking import ask
    from agentrun.errors import UsageError
    from agentrun.report import screen
    from agentrun.report.result import write_result

    if not found:
        raise UsageError(f"nothing has failed in {view.task_id}", "there is nothing to ask about")
    write_result(screen.stdout(), ask(view, found[0].step, question))
    return 0

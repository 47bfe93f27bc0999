"""`agentrun debug`: why a task failed, on what evidence, and what to do."""

from enum import StrEnum
from typing import Annotated

import typer

from agentrun.cli import options, settings

EXAMPLES = """
agentrun debug latest
agentrun debug latest --at label            # as it was when `label` last ended
agentrun debug latest --report html > failure.html
agentrun debug latest --json | jq '.incidents[0].failure'
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
        typer.Option("--report", help="Write a report to stdout, to be sent to somebody."),
    ] = None,
    json: options.JsonFlag = False,
) -> int:
    """Explain a failure: what happened, what each attempt saw and printed, the state before it.

    Replays the task from its journal; nothing is run and nothing is changed.
    """
    from agentrun.cli.task_view import definition, item_of, log_of, open_view, output_of, shown
    from agentrun.report import screen
    from agentrun.report.incident import Sources, incidents
    from agentrun.report.moment import moment

    now = settings.current()
    view, out = open_view(now, task), screen.stdout(color=now.color)
    records = view.records[: moment(view.records, at)] if at is not None else view.records
    state = view.state_at(records[-1].seq)
    sources = Sources(
        records,
        definition(view),
        output=lambda state, key: output_of(view, state, key),
        inputs=lambda state: shown(view, state.inputs),
        item=lambda state, key: item_of(view, state, key),
        log=lambda step, attempt: log_of(view, step, attempt),
    )
    found = incidents(state, sources)
    folder = now.folder_option()
    form = ReportForm.json if json else report
    if form is None:
        from agentrun.report.debug_view import debug_lines

        out.lines(debug_lines(state, found, records, out, folder))
        return 0
    from agentrun.report import debug_report
    from agentrun.report.result import write_json

    if form is ReportForm.json:
        write_json(out, debug_report.report_object(state, found, folder))
    else:
        write = debug_report.html if form is ReportForm.html else debug_report.markdown
        out.lines(write(state, found, records, folder))
    return 0

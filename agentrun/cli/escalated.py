"""The report of an escalation on disk: `<task>/reports/<step>.md`, everything a person needs."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentrun.cli import task_view
from agentrun.cli.settings import Settings
from agentrun.core.state import TaskState
from agentrun.diagnose import cases
from agentrun.recovery.debugger.case import Case
from agentrun.report import words
from agentrun.report.debug_report import markdown
from agentrun.report.incident import incidents
from agentrun.store.manager import CheckpointManager
from agentrun.store.names import step_folder

REPORTS = "reports"


def write_reports(settings: Settings, state: TaskState) -> list[Path]:
    """Write a report for each step that a person is asked about; return where they are."""
    view = task_view.open_view(settings, state.task_id)
    sources = task_view.sources_of(view, view.records)
    asked = set(state.ending.steps if state.ending else ())
    manager, written = CheckpointManager(settings.root), []
    for found in incidents(view.state, sources):
        if found.step not in asked:
            continue
        told = cases(manager, view, view.state, [found.step], time.time())
        command = settings.command("debug", state.task_id, "--apply")
        lines = [
            *markdown(view.state, [found], view.records, settings.folder_option()),
            *_proposals(told, command),
        ]
        path = Path(manager.root) / state.task_id / REPORTS / f"{step_folder(found.step)}.md"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _proposals(told: Sequence[Case], command: Sequence[str]) -> Iterator[str]:
    yield from ("", "## What could be done", "")
    for case in told:
        for each in case.diagnoses:
            yield f"- {words.one_line(each.cause)} ({each.analyst}, {each.confidence:.0%} sure)"
        for offered in case.proposals:
            notes = [words.one_line(offered.fix.reason), offered.record, f"risk: {offered.risk}"]
            text = "; ".join(note for note in notes if note)
            yield from ("", f"Fix {offered.number}, {offered.fix.type} ({text}):", "")
            yield from (f"    {words.safe(line)}" for line in offered.diff.splitlines())
            yield from ("", f"    {words.typed([*command, str(offered.number)])}")
    if not any(case.diagnoses for case in told):
        yield "Neither memory nor rules know this failure."

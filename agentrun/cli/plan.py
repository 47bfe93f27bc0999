"""`resume --plan`: what a resume would reuse and run, and what the reuse saves. Runs nothing."""

from typing import TYPE_CHECKING

from msgspec import to_builtins

from agentrun.app import plan_resume
from agentrun.cli.settings import Settings
from agentrun.report import screen
from agentrun.report.plan_view import plan_lines
from agentrun.report.result import write_json

if TYPE_CHECKING:
    from agentrun.requests import ResumeRequest


def announce(request: "ResumeRequest", settings: Settings) -> None:
    """Say what a resume with another definition is about to do, before it does anything."""
    err = screen.stderr(color=settings.color)
    err.lines(plan_lines(plan_resume(request), err))


def show(request: "ResumeRequest", settings: Settings) -> int:
    """Print the plan."""
    rows = plan_resume(request)
    out = screen.stdout(color=settings.color)
    if settings.json:
        write_json(out, [to_builtins(row) for row in rows])
    else:
        out.lines(plan_lines(rows, out))
    return 0

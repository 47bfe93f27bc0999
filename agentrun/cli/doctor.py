"""`agentrun doctor`: check what a run would need, before it runs."""

from typing import Annotated

import typer

from agentrun.cli import options, settings

EXAMPLES = """
agentrun doctor
agentrun doctor workflow.yaml
agentrun doctor workflow.yaml --json | jq '.checks[] | select(.state != "ok")'
"""


def doctor_command(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A workflow to check for.", show_default=False),
    ] = None,
    *,
    json: options.JsonFlag = False,
) -> int:
    """Check programs, secrets, files, disk and the checkpoints; exit 1 if a run would fail."""
    from pathlib import Path

    from agentrun.cli import checks
    from agentrun.report import screen
    from agentrun.report.check_view import check_lines, check_object
    from agentrun.report.result import write_json

    now = settings.current()
    found = list(checks.of_machine(now.root))
    if file is not None:
        found += checks.of_workflow(Path(file))
    out = screen.stdout(color=now.color)
    if json:
        write_json(out, check_object(found))
    else:
        out.lines(check_lines(found, out))
    return 1 if any(check.state == "bad" for check in found) else 0

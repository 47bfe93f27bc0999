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
    """Check what a run needs, and predict how it will go; exit 1 if it would fail.

    Checks programs and their versions, secrets, files, disk, memory, hosts and breakers. From the
    history of the checkpoint folder it predicts the chance of failure, time and cost of each step.
    """
    from pathlib import Path

    from agentrun.cli import checks, outlook
    from agentrun.report import screen
    from agentrun.report.check_view import check_lines, check_object
    from agentrun.report.result import write_json
    from agentrun.store.manager import CheckpointManager
    from agentrun.workflow.cache import load_cached

    now = settings.current()
    manager = CheckpointManager(now.root)
    found = [*checks.of_machine(now.root), *outlook.of_memory()]
    workflow = None
    if file is not None:
        found += checks.of_workflow(Path(file))
        workflow = load_cached(Path(file))
        found += outlook.of_hosts(workflow)
        found += outlook.of_history(workflow, manager)
    found += outlook.of_breakers(manager, workflow)
    out = screen.stdout(color=now.color)
    if json:
        write_json(out, check_object(found))
    else:
        out.lines(check_lines(found, out))
    return 1 if any(check.state == "bad" for check in found) else 0

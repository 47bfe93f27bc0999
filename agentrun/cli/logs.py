"""`agentrun logs`: what steps printed."""

from typing import Annotated

import typer

from agentrun.cli import complete, options, settings

EXAMPLES = """
agentrun logs latest                       # the last attempt of every step
agentrun logs latest label                 # of one step, or of all its items
agentrun logs latest 'label[3]' --attempt 1
agentrun logs latest build --follow
"""


def logs_command(
    task: options.Task,
    step: Annotated[
        str | None,
        typer.Argument(
            metavar="STEP",
            help="One step; by default all of them.",
            autocompletion=complete.steps,
            show_default=False,
        ),
    ] = None,
    *,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", min=1, metavar="N", help="This attempt instead of the last."),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "-f", "--follow", help="Keep printing as output arrives, until the task ends."
        ),
    ] = False,
) -> int:
    """Print what attempts printed, as they printed it (secrets redacted).

    A pipe gets the bytes as they are; on a terminal, control sequences are made harmless.
    """
    from agentrun.cli.log_reader import LogReader
    from agentrun.cli.task_view import open_view
    from agentrun.report import screen

    now = settings.current()
    view = open_view(now, task)
    reader = LogReader(view, screen.stdout(color=now.color), step, attempt)
    if follow:
        reader.follow(lambda: open_view(now, view.task_id))
    else:
        reader.print_all()
    return 0

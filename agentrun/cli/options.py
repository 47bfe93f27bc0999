"""The arguments and options that several commands share, as Typer annotations."""

from typing import Annotated

import typer

from agentrun.cli import complete, settings


def _expect_object(given: bool) -> bool:
    """Note that a script expects JSON, so that a refusal is printed as JSON too."""
    settings.change(json=given or None)
    return given


Task = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="Task id, a unique prefix of one, or `latest`.",
        autocompletion=complete.task_ids,
    ),
]
JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout.", callback=_expect_object)
]
JsonArray = Annotated[
    bool, typer.Option("--json", help="Print a JSON array on stdout.", callback=_expect_object)
]
Events = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="FILE|-",
        help="Write the task's events as NDJSON, each once it is durable.",
    ),
]
MaxParallel = Annotated[
    int | None,
    typer.Option(
        "--max-parallel", min=1, metavar="N", help="Run at most N attempts at the same time."
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="STEP|SEQ",
        help="The moment: right after event SEQ, or when a step last ended.",
        autocompletion=complete.steps,
    ),
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="K=V", help="Give an input another value.")
]
Stub = Annotated[
    str | None,
    typer.Option(
        "--stub",
        metavar="FILE|ID",
        help="Take outputs from this file, or from a task, instead of running those steps.",
    ),
]
Inject = Annotated[
    list[str] | None,
    typer.Option(
        "--inject",
        metavar="STEP=FAULT[xN]",
        help="Make the first N attempts fail: an HTTP status, `timeout`, or another kind.",
    ),
]
NewWorkflow = Annotated[
    str | None,
    typer.Option("--workflow", metavar="FILE", help="Use this definition instead."),
]

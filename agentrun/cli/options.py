"""The arguments and options that several commands share, as Typer annotations."""

from typing import Annotated

import typer

from agentrun.cli import complete

Task = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="Task id, a unique prefix of one, or `latest`.",
        autocompletion=complete.task_ids,
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
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
    typer.Option("--max-parallel", min=1, metavar="N", help="Most attempts at the same time."),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="STEP|SEQ",
        help="The moment: after an event's number, or when a step last ended.",
        autocompletion=complete.steps,
    ),
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="K=V", help="Give an input another value.")
]
NewWorkflow = Annotated[
    str | None,
    typer.Option("--workflow", metavar="FILE", help="Use this definition instead."),
]

"""`agentrun validate`: find every mistake in workflow files without running anything."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentrun.cli import options, settings

if TYPE_CHECKING:
    from pathlib import Path

    from agentrun.core.model import Workflow
    from agentrun.workflow.problems import Problem

EXAMPLES = """
agentrun validate workflow.yaml
agentrun validate workflows/*.yaml --json | jq '.[].message'
"""


def validate_command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflow files.")],
    json: options.JsonArray = False,
) -> int:
    """Find every mistake in workflow files, with line, column and a hint.

    Nothing in a workflow is imported or run. Warnings (a secret in plain text, a step that never
    runs, retries inside retries) do not make a file invalid. Exit code 0 if all files are valid, 2
    otherwise. With --json, the list of problems goes to stdout.
    """
    from pathlib import Path

    results = [(file, *_checked(Path(file))) for file in files]
    if json:
        _print_json([each for _, _, problems in results for each in problems])
    else:
        _print_text(results)
    return 0 if all(workflow is not None for _, workflow, _ in results) else 2


def _checked(path: "Path") -> "tuple[Workflow | None, list[Problem]]":
    """Check one file; one that can't be read is a problem like others."""
    from agentrun.errors import UsageError
    from agentrun.workflow.load import check_file
    from agentrun.workflow.problems import Problem

    try:
        return check_file(path)
    except UsageError as error:
        return None, [Problem(str(path), 0, 0, "", error.message, error.hint)]


def _print_json(problems: "list[Problem]") -> None:
    from dataclasses import asdict
    from json import dumps

    from agentrun.report import screen

    listed = [asdict(each) for each in problems]
    screen.stdout().line(dumps(listed, ensure_ascii=False, indent=2))


def _print_text(results: "list[tuple[str, Workflow | None, list[Problem]]]") -> None:
    from agentrun.report import screen, words
    from agentrun.workflow.problems import render_problems

    out, err = screen.stdout(), screen.stderr(color=settings.current().color)
    for file, workflow, problems in results:
        if problems:
            err.line(render_problems(problems))
        if workflow is not None:
            out.line(f"{file}: valid, {words.plural(len(workflow.steps), 'step')}")
            continue
        errors = sum(1 for each in problems if each.severity == "error")
        err.line(f"{file}: not valid, {words.plural(errors, 'error')}")

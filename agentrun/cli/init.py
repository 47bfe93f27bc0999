"""`agentrun init`: start a workflow from a template that runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from agentrun.cli import settings

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = """
agentrun init                        # workflow.yaml in this folder
agentrun init triage --template agent
agentrun init --list
"""

TEMPLATES = {
    "basic": "shell steps, a loop over items, a retry, a result; runs anywhere",
    "python": "the same with Python functions beside the workflow",
    "agent": "a coding agent writes, checks prove it, another agent is the fallback",
    "approval": "a person decides before the last step; the task waits without a process",
}


def _names(incomplete: str) -> list[str]:
    return [name for name in TEMPLATES if name.startswith(incomplete)]


def init_command(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Where to put it.", show_default=False)
    ] = ".",
    *,
    template: Annotated[
        str,
        typer.Option("--template", "-t", metavar="NAME", help="Which one.", autocompletion=_names),
    ] = "basic",
    list_: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
) -> int:
    """Write a first workflow that runs as it is. Existing files are never overwritten."""
    from pathlib import Path

    from agentrun.report import screen, words

    now = settings.current()
    out, err = screen.stdout(color=now.color), screen.stderr(color=now.color)
    if list_:
        out.lines(f"{name.ljust(10)}{text}" for name, text in TEMPLATES.items())
        return 0
    written = write(Path(folder), template)
    out.lines(str(path) for path in written)
    if not now.quiet:
        workflow = Path(folder) / "workflow.yaml"
        err.line(f"  next     {words.typed(now.command('run', str(workflow)))}")
    return 0


def write(folder: "Path", template: str) -> list["Path"]:
    """Copy a template; return the files. Raises UsageError and leaves all as it was."""
    from difflib import get_close_matches
    from pathlib import Path

    from agentrun.errors import UsageError

    if template not in TEMPLATES:
        near = get_close_matches(template, TEMPLATES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(TEMPLATES)}"
        raise UsageError(f"there is no template {template!r}", hint)
    source = Path(__file__).with_name("templates") / template
    files = sorted(path for path in source.iterdir() if path.is_file())
    targets = [folder / path.name for path in files]
    if taken := [str(target) for target in targets if target.exists()]:
        raise UsageError(f"{', '.join(taken)} is there already", "choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, target in zip(files, targets, strict=True):
            with target.open("xb") as file:
                file.write(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror}") from error
    return targets

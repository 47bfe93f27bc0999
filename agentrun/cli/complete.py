"""What the shell completes: task ids and step names. It must be quick and never complain."""

import os
from collections.abc import Iterator

import typer

from agentrun.cli import settings
from agentrun.cli.status import STATUSES
from agentrun.errors import AgentrunError

MAX_SHOWN = 200


def task_ids(incomplete: str) -> list[str]:
    """Return the ids of tasks, newest first, and `latest`."""
    found = sorted(_folders(), reverse=True)
    ids = [name for _, name in found if name.startswith(incomplete)][:MAX_SHOWN]
    return [*ids, *(["latest"] if ids and "latest".startswith(incomplete) else [])]


def _folders() -> Iterator[tuple[float, str]]:
    try:
        with os.scandir(settings.current().checkpoints) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir():
                    yield entry.stat().st_mtime, entry.name
    except OSError:
        return


def steps(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the steps of the task on the command line; its items only when `[` was typed."""
    task = ctx.params.get("task")
    if not task:
        return []
    try:
        from agentrun.store.manager import CheckpointManager

        manager = CheckpointManager(settings.current().root)
        keys = list(manager.read(manager.resolve(task)).state.steps)
    except (AgentrunError, OSError):  # none of that name, or a damaged one
        return []
    wanted = (key for key in keys if "[" not in key or "[" in incomplete)
    return [key for key in wanted if key.startswith(incomplete)][:MAX_SHOWN]


def step_values(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the steps, for `STEP=VALUE`."""
    return [f"{key}=" for key in steps(ctx, incomplete)]


def statuses(incomplete: str) -> list[str]:
    """Return the states of a task."""
    return [each for each in STATUSES if each.startswith(incomplete)]

"""Reads a workflow file's bytes, with a message for whatever the file system says.

Apart from `load.py`, so that the cache needs nothing of the validating path.
"""

from pathlib import Path

from agentrun.errors import UsageError

MAX_BYTES = 4 << 20


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, at most one more than a workflow may have."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a workflow file") from None
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist", _near_files(path)) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {getattr(error, 'strerror', error)}") from None


def _near_files(path: Path) -> str:
    from agentrun.workflow.hints import closest

    try:
        names = [each.name for each in path.parent.iterdir() if each.suffix in (".yaml", ".yml")]
    except OSError:
        return f"the folder {path.parent} does not exist or can't be read"
    if near := closest(path.name, names):
        return f"did you mean {path.parent / near}?"
    return f"workflow files there: {', '.join(sorted(names)[:8])}" if names else ""

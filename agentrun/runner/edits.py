"""Edits of files by a fix: made before the attempt, kept when it works, undone when it does not.

The file as it was is kept in the step's state folder before it is changed, so that a crash between
the edit and the end of the attempt finds it there and the next attempt begins from it. An edit that
is there already (a crash after the attempt, another round) is not made twice.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from agentrun.core.model import Json
from agentrun.store.task import STATE

MAX_BYTES = 4 << 20


class EditRefused(Exception):
    """The edit can't be made: the text tells why."""


@contextmanager
def edited(
    edits: Sequence[Mapping[str, Json]], folder: Path, state_dir: Path
) -> Iterator[Callable[[], None]]:
    """Make the edits; undo them on leaving unless the given function was called."""
    kept = False

    def keep() -> None:
        nonlocal kept
        kept = True

    changed: list[tuple[Path, Path]] = []
    try:
        for edit in edits:
            one = _make(edit, folder, state_dir)
            changed.append(one)  # one by one: what was made must be known if the next is refused
        yield keep
    finally:
        for path, copy in reversed(changed):
            if not kept:
                _write(path, copy.read_bytes())
            copy.unlink(missing_ok=True)


def _make(edit: Mapping[str, Json], folder: Path, state_dir: Path) -> tuple[Path, Path]:
    root = folder.resolve()
    path = (root / str(edit["path"])).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise EditRefused(f"{edit['path']} is no file below {folder}")
    if path.is_relative_to(_tasks_of(state_dir)):
        raise EditRefused(f"{edit['path']} belongs to agentrun's own checkpoints")
    copy = state_dir / f"before-{sha256(str(path).encode()).hexdigest()[:16]}"
    if copy.exists():
        _write(path, copy.read_bytes())
    data = path.read_bytes()
    old, new = str(edit["old"]).encode(), str(edit["new"]).encode()
    made = data.count(new) == 1 and data.count(old) == new.count(old)
    if len(data) > MAX_BYTES or (data.count(old) != 1 and not made):
        raise EditRefused(f"{edit['path']} does not hold the text exactly once")
    _write(copy, data.replace(new, old) if made else data)
    if not made:
        _write(path, data.replace(old, new))
    return path, copy


def _tasks_of(state_dir: Path) -> Path:
    """Return the folder that holds all tasks: DIR of DIR/<task>/state/<step>."""
    parents = state_dir.resolve().parents
    task = next((each for each in parents if each.name == STATE), None)
    return parents[0] if task is None else task.parent.parent


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole, on disk before it takes the other's place."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with open(aside, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.chmod(aside, path.stat().st_mode & 0o777)
    os.replace(aside, path)

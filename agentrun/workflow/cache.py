"""Validated workflows, kept so that an unchanged file costs neither YAML nor Pydantic.

An entry is one file in `$XDG_CACHE_HOME/agentrun/` (or `~/.cache/agentrun/`), named by a hash over
agentrun's version, the file's path and its text. It holds the plan, and the hash of every
sub-workflow's text: an entry is used only when those still match. The cache is a private folder of
the user; one that others could write is not used. Any trouble with it means loading normally.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agentrun import __version__
from agentrun.core.model import Workflow

MAX_ENTRY_BYTES = 64 << 20
MAX_ENTRIES = 200
_FORM = 1


class _Entry(msgspec.Struct):
    """What a cache file holds. `below` maps sub-workflow files to the sha256 of their text."""

    workflow: Workflow
    below: dict[str, str]


def load_cached(
    path: Path, data: bytes | None = None, sources: Mapping[str, str] | None = None
) -> Workflow:
    """Return the workflow of a file, from the cache when nothing of it has changed.

    `data` and `sources` are the texts a task is pinned to; without them they are read from disk.
    """
    if data is None:
        from agentrun.workflow.source_file import read_bytes

        data = read_bytes(path)
    entry = _entry_path(path, data)
    if entry is not None and (workflow := _read(entry, path, sources)) is not None:
        return workflow
    from agentrun.workflow.load import load_text

    workflow = load_text(data, path, sources)
    if entry is not None and _is_built_in(workflow):
        _write(entry, workflow)
    return workflow


def _is_built_in(workflow: Workflow) -> bool:
    """Say whether all kinds are our own; what another package accepts may change with it."""
    from agentrun.steps.registry import built_in_names

    names = built_in_names()
    return all(step.kind in names for step in workflow.steps) and all(
        map(_is_built_in, workflow.subworkflows.values())
    )


def _entry_path(path: Path, data: bytes) -> Path | None:
    folder = _folder()
    if folder is None:
        return None
    digest = hashlib.sha256()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    for part in (str(_FORM), __version__, _code_stamp(), python, os.path.abspath(path)):
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(data)
    return folder / f"{digest.hexdigest()}.json"


def _code_stamp() -> str:
    """Return what changes when the validating code does, also in a checkout without a release."""
    try:
        here = os.path.dirname(__file__)
        newest = max(
            each.stat().st_mtime_ns
            for folder in (here, f"{here}/../steps", f"{here}/../core")
            for each in os.scandir(folder)
            if each.name.endswith(".py")
        )
    except (OSError, ValueError):
        return ""
    return str(newest)


def _folder() -> Path | None:
    """Return the cache folder, made if need be; None when it is not safely ours."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        return None
    folder = Path(base) / "agentrun"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.lstat(folder)
    except OSError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return folder if ours and not status.st_mode & 0o022 else None


def _read(entry: Path, path: Path, sources: Mapping[str, str] | None) -> Workflow | None:
    try:
        with entry.open("rb") as file:
            data = file.read(MAX_ENTRY_BYTES)
        held = msgspec.json.decode(data, type=_Entry)
        for name, sha256 in held.below.items():
            text = (path.parent / name).read_bytes() if sources is None else sources[name].encode()
            if hashlib.sha256(text).hexdigest() != sha256:
                return None
    except (OSError, LookupError, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    return held.workflow


def _write(entry: Path, workflow: Workflow) -> None:
    import tempfile  # 5 ms, for a file that is new

    below = {
        name: hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        for name, text in workflow.sources.items()
    }
    try:
        data = msgspec.json.encode(_Entry(workflow, below))
        if len(data) > MAX_ENTRY_BYTES:
            return
        handle, name = tempfile.mkstemp(dir=entry.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, entry)
        except OSError:
            os.unlink(name)
        _prune(entry.parent)
    except (OSError, msgspec.MsgspecError, TypeError, ValueError):
        return


def _prune(folder: Path) -> None:
    """Keep the newest entries only."""
    entries = sorted(folder.glob("*.json"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in entries[MAX_ENTRIES:]:
        old.unlink(missing_ok=True)

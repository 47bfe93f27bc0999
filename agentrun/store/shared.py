"""Files that all tasks of a checkpoint folder share: breakers, limits, failure memory, history.

    checkpoints/.agentrun/<name>.json       one JSON object, replaced as a whole
    checkpoints/.agentrun/<name>.lock       held while it is read, changed and replaced

They are what was learnt, not what is true: not synced, and a damaged one is kept aside and counts
as empty. `update` waits for the lock, so what is done under it must be short and must never wait.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from agentrun.core.model import Json
from agentrun.core.value import encoded
from agentrun.store.disk import Disk
from agentrun.store.record import DECODE_ERRORS

SHARED = ".agentrun"
MAX_BYTES = 8 << 20


class SharedFiles:
    """The shared files in `folder`, which `prepare` makes and checks."""

    def __init__(self, folder: str, disk: Disk, prepare: Callable[[], None]) -> None:
        self._folder, self._disk, self._prepare = folder, disk, prepare

    def read(self, name: str) -> dict[str, Json]:
        """Return the content of a file, as it is now; empty when there is none."""
        return self._load(self._path(name))[0]

    @contextmanager
    def update(self, name: str) -> Iterator[dict[str, Json]]:
        """Give the content to be changed in place; it is written when the block ends well.

        ValueError when it has grown beyond MAX_BYTES: the owner has to bound what it keeps.
        """
        path = self._path(name)
        self._prepare()
        lock_path = path.removesuffix(".json") + ".lock"
        with self._disk.create(lock_path, exclusive=False) as lock:
            self._disk.lock(lock, wait=True)
            data, before = self._load(path, keep=True)
            yield data
            after = encoded(data)
            if len(after) > MAX_BYTES:
                raise ValueError(f"{path} would grow to {len(after)} bytes")
            if after != before:
                self._disk.replace(path, after, sync=False)

    def _load(self, path: str, *, keep: bool = False) -> tuple[dict[str, Json], bytes]:
        text = self._disk.read(path) or b""
        if not text:
            return {}, text
        try:
            return msgspec.json.decode(text, type=dict[str, Json]), text
        except DECODE_ERRORS:
            if keep:
                self._disk.rename(path, f"{path}.damaged")
            return {}, b""

    def _path(self, name: str) -> str:
        assert name.replace("-", "").replace("_", "").isalnum(), f"not a name: {name!r}"
        return f"{self._folder}/{name}.json"

"""Values of a task: small ones inline in the journal, large ones as blobs, secrets in neither.

    blobs/<sha256>        the JSON text of one value, named by its own hash; never changed, shared
                          by all events that hold the same value
    blobs/<sha256>.copy   the same bytes once more, of a value of up to COPY_BYTES

`put` hashes and keeps a large value in memory; `sync_staged` writes what is kept (aside, synced,
renamed, the folder synced once for all) and must come before the journal's append that refers to
it. So a value in the journal is always on disk, and a batch of steps shares its syncs. `put` runs
on the event loop and `sync_staged` on a writer's thread; the hand-over is one lock.

A copy is written after its blob is durable, and not synced: it costs a write, and guards against
one fault at a time. A power cut may tear it or take it away; its hash tells. Where a blob is
damaged or gone, its copy gives the value back. A process that holds the task (`on_mend` is set)
mends either of the two when it reads the value; others change nothing.

JSON is what comes back: a tuple comes back as a list, NaN as null, a number beyond 64 bits and half
of a surrogate pair exactly.
Owns the cache of the blobs read last. Refuses to resolve `Items` (the state knows the children).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from threading import Lock
from typing import TypeGuard

import msgspec

from agentrun.core.model import Json
from agentrun.core.value import NOTHING, Blob, Inline, Value, escaped
from agentrun.errors import Damaged, StoreError
from agentrun.store.disk import Disk
from agentrun.store.record import DECODE_ERRORS
from agentrun.store.repair import keep_aside
from agentrun.store.secrets import Secrets

INLINE_BYTES = 4096
CACHE_BYTES = 32 << 20
BLOBS = "blobs"
COPY = ".copy"
COPY_BYTES = 64 << 10
"""Larger values stand once, so that a task takes about the room of what it holds."""

_decoder = msgspec.json.Decoder()


class ValueStore:
    """The values of the task in `folder`."""

    def __init__(
        self,
        folder: str,
        disk: Disk,
        secrets: Secrets | Mapping[str, str],
        *,
        inline_limit: int = INLINE_BYTES,
    ) -> None:
        self._folder, self._disk = f"{folder}/{BLOBS}", disk
        self.secrets = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        self._inline_limit = inline_limit
        self._lock = Lock()
        self._staged: dict[str, bytes] = {}
        self._known: set[str] = set()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self.on_mend: Callable[[str], None] | None = None
        """Told of what was mended; set while this process holds the task."""

    def moved(self, folder: str) -> None:
        """Take account of the task's folder having got another name."""
        self._folder = f"{folder}/{BLOBS}"

    def put(self, value: Json) -> Value:
        """Return the value as the journal holds it. ValueError: it can't be written as JSON."""
        if value is None:
            return NOTHING
        text = _encoded(value)
        used: dict[str, str] = {}
        if self.secrets.occur_in(text):
            hidden, used = self.secrets.hide(_decoded(text), text)
            text = _encoded(hidden)
        if len(text) <= self._inline_limit:
            try:
                return Inline(_decoder.decode(text), used or None)
            except DECODE_ERRORS:
                pass  # a number or text that no line can hold: the blob's reader is more patient
        digest = sha256(text).hexdigest()
        self._stage(digest, text)
        return Blob(digest, len(text), used or None)

    def put_text(self, text: bytes) -> str:
        """Keep bytes as they are (a workflow's text), as a blob; return its sha256."""
        digest = sha256(text).hexdigest()
        self._stage(digest, text)
        return digest

    def get(self, value: Value) -> Json:
        """Return the value, its secrets resolved. What comes back must not be changed in place."""
        match value:
            case Inline():
                found = value.value
            case Blob():
                found = _decoded(self.text(value.blob))
            case _:
                raise AssertionError("items are put together from the state")
        return self.secrets.reveal(found, value.secrets) if value.secrets else found

    def masked(self, value: Value) -> Json:
        """Return the value, its secrets left as placeholders: for whoever only looks."""
        return self.get(msgspec.structs.replace(value, secrets=None))

    def text(self, digest: str) -> bytes:
        """Return a blob's bytes, checked against their name. Raises Damaged when they are lost."""
        with self._lock:
            if digest in self._staged:
                return self._staged[digest]
            if digest in self._cache:
                self._cache.move_to_end(digest)
                return self._cache[digest]
        data = self._read(digest)
        with self._lock:
            self._remember(digest, data)
        return data

    def sync_staged(self) -> None:
        """Return when everything that was put is on disk."""
        with self._lock:
            staged = dict(self._staged)
        if not staged:
            return
        for digest, data in staged.items():
            self._write(digest, data)
        self._disk.sync_folder(self._folder)
        for digest, data in staged.items():
            self._write_copy(self._path(digest), data)
        with self._lock:
            for digest, data in staged.items():
                del self._staged[digest]
                self._known.add(digest)
                self._remember(digest, data)

    def _stage(self, digest: str, data: bytes) -> None:
        with self._lock:
            if digest not in self._known:
                self._staged[digest] = data

    def _write(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        if is_whole(self._disk.read(path), digest):
            return
        aside = f"{self._folder}/.{digest}.new"
        self._disk.remove(aside)
        self._disk.write_new(aside, data)
        self._disk.rename(aside, path)

    def _write_copy(self, path: str, data: bytes) -> None:
        """Make the second copy of a durable blob right, if it should have one."""
        if len(data) > COPY_BYTES:
            return
        if read_copy(self._disk, path) == data:
            return
        with self._disk.create(path + COPY, exclusive=False) as file:
            file.write_at(0, data)
            if file.size > len(data):
                file.truncate(len(data))

    def _read(self, digest: str) -> bytes:
        """Return a blob's bytes from whichever file holds them, and mend the other."""
        path = self._path(digest)
        data = self._disk.read(path)
        if is_whole(data, digest):
            if self.on_mend is not None:
                self._write_copy(path, data)
            return data
        copy = read_copy(self._disk, path)
        if not is_whole(copy, digest):
            raise self._damaged(path, data, copy)
        if self.on_mend is not None:
            self._mend(path, data, copy, self.on_mend)
        return copy

    def _mend(
        self, path: str, damaged: bytes | None, data: bytes, told: Callable[[str], None]
    ) -> None:
        """Put a blob's copy in its place."""
        what = "was missing" if damaged is None else "was damaged"
        aside = None if damaged is None else keep_aside(self._disk, path, "damaged")
        self._disk.replace(path, data)
        kept = f"; the damaged file is kept as {aside}" if aside else ""
        name = f"{BLOBS}/{path.rpartition('/')[2]}"
        told(f"{name} {what} and was rebuilt from its second copy{kept}")

    def _damaged(self, path: str, data: bytes | None, copy: bytes | None) -> Damaged:
        if data is None:
            what = "is missing: a value of the task is lost"
        else:
            what = "is damaged: its content is not its name's"
        both = "" if copy is None else f", and {path}{COPY} is damaged too"
        return Damaged(f"{path} {what}{both}", self._disk.hint)

    def _remember(self, digest: str, data: bytes) -> None:
        if len(data) > CACHE_BYTES // 4 or digest in self._cache:
            return
        self._cache[digest] = data
        self._cached_bytes += len(data)
        while self._cached_bytes > CACHE_BYTES:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])

    def _path(self, digest: str) -> str:
        if len(digest) != 64 or digest.strip("0123456789abcdef"):
            raise Damaged(f"a blob is named {digest[:80]!r}, which is no sha256", self._disk.hint)
        return f"{self._folder}/{digest}"


def is_whole(data: bytes | None, digest: str) -> TypeGuard[bytes]:
    """Return whether these are the bytes that the name stands for."""
    return data is not None and sha256(data).hexdigest() == digest


def read_copy(disk: Disk, path: str) -> bytes | None:
    """Return the second copy of the blob at `path`; one that can't be read is as good as none."""
    try:
        return disk.read(path + COPY)
    except StoreError:
        return None


def _encoded(value: Json) -> bytes:
    try:
        return escaped(value)
    except RecursionError:
        raise ValueError("the value is nested too deeply to be written as JSON") from None
    except (TypeError, OverflowError) as error:
        raise ValueError(f"the value can't be written as JSON: {error}") from error


def _decoded(text: bytes) -> Json:
    try:
        return _decoder.decode(text)
    except DECODE_ERRORS:
        return _decoded_patiently(text)


def _decoded_patiently(text: bytes) -> Json:
    """Decode numbers of any size."""
    import json

    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None

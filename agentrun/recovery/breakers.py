"""What is remembered of a component, shared by all processes of a checkpoint folder.

    checkpoints/.agentrun/component-<name>.json    {"component": "api", "memory": {}, "pace": {}}
    checkpoints/.agentrun/component-<name>.probe   locked by the one process that probes

Owns the file's form and when it is read again. A component that only ever worked and has no rate
has no file: asking costs one `stat`, recording a success nothing. Refuses to decide (gate.py).
"""

import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from agentrun.core.breaker import CLOSED, Memory
from agentrun.errors import StoreError
from agentrun.recovery.limits import Pace
from agentrun.store.shared import SharedFiles

NO_PACE = Pace()


class Known(Struct, frozen=True, omit_defaults=True):
    """What is known of a component: its breaker's memory and its pace."""

    component: str = ""
    memory: Memory = CLOSED
    pace: Pace = NO_PACE


class Component:
    """The file of one component. `known` is what it held when it was last looked at."""

    def __init__(self, folder: Path, shared: SharedFiles, component: str) -> None:
        self.name = file_name(component)
        self.known = Known(component)
        self._component, self._shared = component, shared
        self._path = folder / f"{self.name}.json"
        self._seen: tuple[int, int] | None = None

    def look(self) -> Known:
        """Return what is known now. The file is only read when it is another one than before."""
        try:
            status = os.stat(self._path)
        except OSError:
            seen = None
        else:
            seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            self.known = self._read(self._shared.read(self.name) if seen else {})
            self._seen = seen
        return self.known

    def change(self, how: Callable[[Known], Known]) -> Known:
        """Replace what is known, as one step among all processes. Nothing is written for nothing.
        Where nothing can be written, this process still knows: the journal will say what is wrong.
        """
        try:
            with self._shared.update(self.name) as data:
                before = self._read(data)
                self.known = how(before)
                if self.known != before:
                    data.clear()
                    data.update(msgspec.to_builtins(self.known))
        except StoreError:
            self.known = how(self.known)
        return self.known

    def _read(self, data: dict[str, object]) -> Known:
        """Read leniently: what another version wrote, or nobody did, counts as nothing known."""
        try:
            return msgspec.convert({"component": self._component} | data, Known)
        except msgspec.ValidationError:
            return Known(self._component)


def file_name(component: str) -> str:
    """Return a file name for any component's name, different ones for different components."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", component)[:40]
    return f"component-{plain}-{sha256(component.encode()).hexdigest()[:8]}"

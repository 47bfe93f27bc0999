"""Runs agentrun and kills it with SIGKILL at its n-th call on files, whichever thread makes it.

`python -m tests.crash.killer N run ...`. strace counts the calls of each thread by itself, so it
reaches some calls of the writer's thread only together with others; this reaches every one.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

CALLS = (
    "open",
    "pwrite",
    "write",
    "fdatasync",
    "fsync",
    "ftruncate",
    "rename",
    "mkdir",
    "rmdir",
    "unlink",
    "link",
    "fchmod",
    "chmod",
)


def main() -> None:
    """Put the counter in front of the calls, then be agentrun."""
    at = int(sys.argv.pop(1))
    from agentrun.__main__ import main as agentrun

    numbers = count(1)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def call_unless_it_is_time(*args: Any, **kwargs: Any) -> Any:
            if next(numbers) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return call_unless_it_is_time

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    agentrun()


if __name__ == "__main__":
    main()

"""Why a program could not even be started, as evidence with the facts a shell would give.

Owns the translation of what `exec` refused: 127 for a program that is missing, 126 for one that
may not be run, and the name of the value that is too large.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentrun.core.failure import Evidence

ARGUMENT_LIMIT_BYTES = 128 * 1024


def evidence_of(
    error: OSError | ValueError,
    command: Sequence[str | bytes],
    env: Mapping[str, str],
    cwd: Path,
) -> Evidence:
    """Return the evidence of a program that did not start: nothing took effect."""
    program = os.fsdecode(command[0])
    text, exit_code = str(error), None
    if isinstance(error, OSError):
        of_folder = error.filename is not None and os.fspath(error.filename) == str(cwd)
        if of_folder:
            text = f"can't enter the folder {cwd}: {error.strerror}"
        elif error.errno == errno.ENOENT:
            text, exit_code = f"{program}: command not found", 127
        elif error.errno in (errno.EACCES, errno.ENOEXEC):
            text, exit_code = f"{program}: cannot execute: {error.strerror}", 126
        elif error.errno == errno.E2BIG:
            text = f"{error.strerror}: {_largest(command, env)}"
        else:
            text = f"can't start {program}: {error.strerror}"
    return Evidence(
        channel="subprocess",
        text=text,
        command=program,
        exit_code=exit_code,
        exception=type(error).__name__,
        mro=tuple(base.__name__ for base in type(error).__mro__[:-1]),
    )


def _largest(command: Sequence[str | bytes], env: Mapping[str, str]) -> str:
    sizes = {f"the variable {name}": len(os.fsencode(value)) for name, value in env.items()}
    sizes |= {"the command": max(len(os.fsencode(word)) for word in command)}
    name = max(sizes, key=lambda key: sizes[key])
    if sizes[name] < ARGUMENT_LIMIT_BYTES:
        return f"command and environment together are too large ({sum(sizes.values()):,} bytes)"
    return (
        f"{name} holds {sizes[name]:,} bytes, the system allows {ARGUMENT_LIMIT_BYTES:,};"
        " hand large values over by `stdin`"
    )

"""Starts a program as the leader of a session of its own, by the cheapest way the system has.

`posix_spawn` is half of what `subprocess` does, and a fifth less of a step that runs `true`. It
can't enter another folder, search the PATH or close what others have left open, so where one of
these is needed, `subprocess` starts the program. Either way the child has the three streams it is
given, no other descriptor but `pass_fds`, and the default action for SIGPIPE and SIGXFSZ, which
Python ignores.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

_IGNORED_BY_PYTHON = [
    number for name in ("SIGPIPE", "SIGXFSZ") if (number := getattr(signal, name, None))
]
_DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_FIRST_OWN = 3
"""The descriptors before this one are the standard streams."""


def spawn(
    command: Sequence[str | bytes],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: int | None,
    stdout: int,
    stderr: int,
    pass_fds: Sequence[int] = (),
) -> int:
    """Start the program and return its pid; `stdin` None is `/dev/null`. Raises OSError or
    ValueError when it can't be started: nothing took effect.
    """
    streams = (stdin, stdout, stderr)
    if pass_fds or not _is_plain(command[0], cwd, streams):
        return _by_subprocess(command, env, cwd, streams, pass_fds)
    _keep_descriptors()
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        if stdin is None
        else (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    return os.posix_spawn(
        command[0],
        list(command),
        env,
        file_actions=actions,
        setsid=True,
        setsigdef=_IGNORED_BY_PYTHON,
    )


def program(name: str, path: str | None) -> str:
    """Return where the PATH `path` has the program; its bare name when it has not. It is looked for
    once, and again when it is gone.
    """
    known = _found(name, path)
    if known != name and not os.access(known, os.X_OK):
        _found.cache_clear()
        return _found(name, path)
    return known


@lru_cache(maxsize=64)
def _found(name: str, path: str | None) -> str:
    """Look for it. Not by `shutil.which`, whose import takes 5 ms."""
    folders = (os.defpath if path is None else path).split(os.pathsep)
    places = (os.path.join(folder, name) for folder in folders if os.path.isabs(folder))
    runs = (place for place in places if os.access(place, os.X_OK) and os.path.isfile(place))
    return next(runs, name)


def _is_plain(program: str | bytes, cwd: Path, streams: Sequence[int | None]) -> bool:
    """Return whether `posix_spawn` can do it."""
    try:
        here = os.getcwd() == str(cwd)
    except OSError:  # the folder was removed under us
        return False
    is_path = os.sep in os.fsdecode(program)
    return here and is_path and all(fd is None or fd >= _FIRST_OWN for fd in streams)


def _by_subprocess(
    command: Sequence[str | bytes],
    env: Mapping[str, str],
    cwd: Path,
    streams: Sequence[int | None],
    pass_fds: Sequence[int],
) -> int:
    stdin, stdout, stderr = streams
    popen = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=stdout,
        stderr=stderr,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )
    popen.returncode = 0  # the caller reaps; Popen's own reaping would take the status
    return popen.pid


def _keep_descriptors() -> None:
    """Keep what is open in this process from being inherited. What Python opens is not (PEP 446),
    but what agentrun has inherited itself is, what C code opens, and what `dup2` makes.
    """
    for name in os.listdir(_DESCRIPTORS):
        with contextlib.suppress(OSError):  # the one that read the folder is gone
            if int(name) >= _FIRST_OWN and os.get_inheritable(int(name)):
                os.set_inheritable(int(name), False)

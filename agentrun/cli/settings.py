"""The global options, wherever on the command line they stood.

Owns what `--checkpoints`, `-q`, `-v` and `--no-color` mean to every command. A command asks
`current()`; `cli/main.py` is the one that calls `change`.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

DEFAULT_CHECKPOINTS = "checkpoints"


class Settings(NamedTuple):
    """The global options of this process. `checkpoints` is as typed; `json` says that whatever
    happens, a script waits for one object on stdout.
    """

    checkpoints: str = DEFAULT_CHECKPOINTS
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None
    json: bool = False

    @property
    def root(self) -> Path:
        """Return the folder of checkpoints."""
        return Path(self.checkpoints)

    def command(self, *words: str) -> list[str]:
        """Return a command of agentrun that works on the same folder, as words to type."""
        return ["agentrun", *self.folder_option(), *words]

    def folder_option(self) -> Sequence[str]:
        """Return the option that names the folder, nothing when it is the default."""
        if os.path.normpath(self.checkpoints) == DEFAULT_CHECKPOINTS:
            return ()
        return ("--checkpoints", self.checkpoints)


_current = Settings()


def current() -> Settings:
    """Return the settings of this process."""
    return _current


def reset() -> None:
    """Start from the environment."""
    global _current  # noqa: PLW0603 - one command line per process; a context would reach as far
    folder = os.environ.get("AGENTRUN_CHECKPOINTS") or DEFAULT_CHECKPOINTS
    _current = Settings(checkpoints=folder)


def change(
    *,
    checkpoints: str | None = None,
    quiet: bool | None = None,
    verbose: bool | None = None,
    color: bool | None = None,
    json: bool | None = None,
) -> None:
    """Take over what was given on the command line; None means not given."""
    global _current  # noqa: PLW0603
    old = _current
    _current = Settings(
        checkpoints=old.checkpoints if checkpoints is None else checkpoints,
        quiet=old.quiet if quiet is None else quiet,
        verbose=old.verbose if verbose is None else verbose,
        color=old.color if color is None else color,
        json=old.json if json is None else json,
    )

"""What agentrun and the file of one coding-agent CLI say to each other.

A CLI is a `Dialect`: `launch` turns an `Ask` into a command, `read` takes each JSON value the CLI
prints and writes what it learns into the `Answer`. Neither starts anything nor judges anything.
Adding a CLI is adding one such file and its line in dialects.py.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.steps.agent import AgentSpec


@dataclass(frozen=True, slots=True)
class Ask:
    """What one run of a CLI is asked. `prompt` is the whole text, `system` goes above it.

    `resume` is the session to go on with; with `fork` it is another step's, which must stay as it
    is. `new_session` is a fresh UUID for CLIs that let their caller name the session. `env` is the
    environment the CLI will see (to find its settings), `scratch` a folder for files it needs.
    `counted` is the usage already accounted for in `resume`, for CLIs that count per session.
    """

    spec: AgentSpec
    prompt: str
    env: Mapping[str, str]
    scratch: Path
    new_session: str
    resume: str | None = None
    fork: bool = False
    schema: Mapping[str, Json] | None = None
    counted: Usage | None = None

    @property
    def model(self) -> str | None:
        """The model to use; the first where a list is given."""
        model = self.spec.model
        return model[0] if isinstance(model, list) else model


@dataclass(frozen=True, slots=True)
class Launch:
    """A command and what it needs. `env` adds to the environment, None removes a variable.

    `session` is the session's id where it is known before the start. `counted` is what to subtract
    from the usage that the CLI will tell, `model` what it will use, where that is known.
    """

    command: tuple[str, ...]
    env: Mapping[str, str | None] = field(default_factory=dict)
    stdin: bytes | None = None
    session: str | None = None
    counted: Usage | None = None
    model: str | None = None


@dataclass(slots=True)
class Answer:
    """What is known of a run so far; filled while the CLI prints.

    `result` is the final answer. `failed` says that the CLI itself reported a failure, whatever
    its exit code; `complete` that it came to its end. `hopeless` says why it is no use to wait any
    longer (the CLI only waits), so that it is ended; `waits` says why that may be so, unless the
    CLI reports within a moment that it failed. `flooded` says that it printed more than can be an
    answer, and is ended for that. `said` holds the agent's own words on the way. `turns` holds what
    single model turns used, by their ids, for CLIs that report it as they go.
    """

    result: Json = None
    session: str | None = None
    usage: Usage | None = None
    error: str = ""
    failed: bool = False
    complete: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    denials: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    hopeless: str = ""
    flooded: bool = False
    waits: str = ""
    turns: dict[str, Usage] = field(default_factory=dict)

    @property
    def heard(self) -> bool:
        """True when anything of what was printed had a meaning."""
        known = (self.session, self.usage, self.said, self.turns, self.failed, self.complete)
        return self.result is not None or any(known)

    @property
    def told(self) -> Usage:
        """The usage, as far as it is known before the end."""
        return self.usage or functools.reduce(Usage.plus, self.turns.values(), Usage())

    def fail(self, error: str, status: int | None = None) -> None:
        """Note a failure that the CLI reports; the first words stay, details are added."""
        self.failed = True
        if error and error not in self.error:
            self.error = f"{self.error}\n{error}" if self.error else error
        self.status = status if status is not None else self.status


@dataclass(frozen=True, slots=True)
class Dialect:
    """One CLI. `install` tells how to get it; `gone` matches its words for a lost session.

    `form` is how it prints: a JSON value per line, one JSON value in all, or plain text (then
    `read` gets one string). `ends` says that a good run always ends in a line of its own, so that
    its absence is a failure. `system` says that it takes `system` by itself, `resumes` that it can
    go on in a session, `forks` that it can branch one off, `cumulative` that its usage counts the
    whole session, earlier runs included; `used` finds that in the CLI's own files. `status` finds
    the HTTP status in what it printed if its JSON lacks it. `overhear` is given what it prints on
    standard error; `advice` matches what is useless there. `tested` is the version whose output is
    known for certain.
    """

    name: str
    launch: Callable[[Ask], Launch]
    read: Callable[[Json, Answer], None]
    install: str = ""
    gone: re.Pattern[str] | None = None
    status: re.Pattern[str] | None = None
    form: Literal["lines", "value", "text"] = "lines"
    ends: bool = True
    system: bool = True
    resumes: bool = True
    forks: bool = True
    cumulative: bool = False
    used: Callable[[Mapping[str, str], str], Usage | None] | None = None
    overhear: Callable[[str, Answer], None] | None = None
    advice: re.Pattern[str] | None = None
    tested: str = ""


def as_object(value: Json) -> Mapping[str, Json]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_int(value: Json) -> int:
    """Return a count, 0 for anything that is none."""
    number = _finite(value)
    return 0 if number is None else int(number)


def as_usd(value: Json) -> float | None:
    """Return a price, None for anything that is none."""
    number = _finite(value)
    return None if number is None else float(number)


def _finite(value: Json) -> int | float | None:
    """Return a number that can be counted up: neither negative, NaN nor beyond all bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 1 << 53 else None


def as_status(value: Json) -> int | None:
    """Return an HTTP status, or None for anything that is none."""
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 100 <= status <= 599 else None

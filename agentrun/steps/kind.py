"""The contract between the runner and a step kind.

A kind is one file that ends in `KIND = StepKind(...)`. Built-in kinds are listed in `registry.py`;
third parties register theirs under the entry-point group `agentrun.steps`.

A kind's `execute` performs one attempt and returns `Success` or `Evidence`; it classifies nothing,
retries nothing and keeps no state. Timeouts and interruption reach it as `asyncio.CancelledError`:
it must end whatever it started, all of it, and let the error pass.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from agentrun.core.failure import Evidence, Failure
from agentrun.core.model import Json, OutputSpec
from agentrun.core.outcome import Note, Success


class AttemptLog(Protocol):
    """Where an attempt's output goes: the file `logs/<step>/<attempt>.log`, secrets redacted."""

    def write(self, data: bytes) -> None:
        """Append what the attempt printed; counts as a sign of life for `idle_timeout`."""

    def tail(self, max_bytes: int = 4096) -> str:
        """Return the last bytes written, decoded with replacement characters, redacted."""

    def excerpt(self, max_bytes: int = 24 * 1024) -> str:
        """Return the beginning and the end of what was written, decoded, redacted."""


class StepContext(Struct, frozen=True):
    """Everything one attempt may know. All values are rendered; no expression is left in them.

    `env` is the complete environment for a process (caller's, workflow's, step's, AGENTRUN_*);
    `own_env` only what the workflow and the step declare, plus AGENTRUN_*. `cwd` is where the step
    runs, `base_dir` the folder of the workflow file, where files it names are found. `state_dir`
    is the step's memory across attempts and resumes. `isolated` says that a `python` step must run
    in a process of its own. `session` and `messages` are the memory of the attempt before, or, when
    `branched`, of another step, whose they stay.
    `alone`: no other attempt runs meanwhile. `note` records something durably and returns when it
    is on disk.
    """

    task_id: str
    step: str
    attempt: int
    round: int
    spec: Mapping[str, Json]
    with_: Json
    stdin: Json
    env: Mapping[str, str]
    own_env: Mapping[str, str]
    cwd: Path
    base_dir: Path
    state_dir: Path
    log: AttemptLog
    output: OutputSpec
    note: Callable[[Note], Awaitable[None]]
    idempotency_key: str = ""
    isolated: bool = False
    last_failure: Failure | None = None
    session: str | None = None
    messages: Json = None
    branched: bool = False
    timeout_s: float | None = None
    prompt_additions: tuple[str, ...] = ()
    alone: bool = False


OF_ATTEMPTS = frozenset(
    {"until", "max_rounds", "idle_timeout", "retry", "on_error", "fallback", "checks", "output"}
    | {"env", "cwd", "stdin", "with", "component", "idempotent", "remedies"}
)
"""Common keys that mean nothing for a kind that makes no attempts."""

Execute = Callable[[StepContext], Awaitable[Success | Evidence]]


class StepKind(Struct, frozen=True):
    """A kind of step.

    `name` is its key in the YAML. `spec` is a frozen dataclass (fields with type annotations,
    `Annotated[..., "doc"]` allowed) that the loader checks the YAML against, unknown keys refused
    (a field `for_` is the key `for`); its JSON form, under the names of the fields, is what
    `execute` finds in `StepContext.spec`. A scalar under the key goes into the field `scalar`.
    `beside` are fields of the spec written beside the key, on the step itself; fields in `either`
    may stand inside or beside. `refuses` are common keys that mean nothing here. `program_text`
    are fields whose text is run by a shell, so interpolated values must reach it as data.
    `component` names what the step depends on (for breakers and limits) from its spec; where one of
    the fields in `component_from` holds an expression, it is asked once that is rendered.
    `is_quick` says, from the spec and the workflow's folder, that an attempt which runs alone will
    be over in no time, without waiting for anything: it may be performed on the spot.
    """

    name: str
    spec: type
    execute: Execute
    scalar: str | None = None
    beside: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    program_text: frozenset[str] = frozenset()
    component: Callable[[Mapping[str, Json]], str | None] = lambda _spec: None
    component_from: frozenset[str] = frozenset()
    is_quick: Callable[[Mapping[str, Json], Path], bool] = lambda _spec, _base_dir: False

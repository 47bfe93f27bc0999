"""A validated workflow, as plain frozen data.

Owns the shape of everything a workflow file can say once it has been checked. Refuses to know
YAML, line numbers, expressions' syntax (strings that hold `${{ }}` stay as written) and what a
step kind does with its `spec`. Durations are seconds, sizes bytes.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of them."""

Backoff = Literal["exponential", "linear", "fixed"]
OnErrorAction = Literal["retry", "adjust", "fallback", "continue", "debug", "fail"]
Autofix = Literal["off", "suggest", "safe", "full"]

ANY = "any"
"""The entry of `retry.on` that stands for every kind but `security` and `cancelled`."""


class RetryPolicy(Struct, frozen=True):
    """`retry:` of a step. `max_attempts` counts the first; `jitter` is a share added on top.

    `on` holds categories and kinds; empty means the default set of SPEC (transient, recoverable
    but `logic`, `unknown`, `crash`).
    """

    max_attempts: int = 3
    delay_s: float = 1.0
    backoff: Backoff = "exponential"
    factor: float = 2.0
    max_delay_s: float = 60.0
    jitter: float = 0.25
    max_elapsed_s: float | None = None
    on: tuple[str, ...] = ()


class ErrorRule(Struct, frozen=True):
    """One entry of `on_error:`. Every matcher that is given must hold; `text` is a regex."""

    action: OnErrorAction
    kind: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    exit_code: tuple[int, ...] = ()
    status: tuple[int, ...] = ()
    text: str | None = None


class OutputSpec(Struct, frozen=True):
    """What a step's answer must look like: `text`, `json`, `lines`, or a JSON Schema."""

    form: Literal["text", "json", "lines", "schema"] = "text"
    schema: Mapping[str, Json] | None = None


class Remedy(Struct, frozen=True):
    """A declared command that cures a failure of the given kinds or text (`remedies:`)."""

    run: str
    kind: tuple[str, ...] = ()
    text: str | None = None


class Step(Struct, frozen=True):
    """One entry of `steps`. `kind` names the step kind, `spec` holds the keys of that kind.

    `needs` is always explicit here: the loader turns the implicit order into needs.
    `retry` None means that the step declares none, so the table per category holds.
    `content_hash` covers everything that decides what the step does (not its position).
    `line` is where it starts in the file, for messages.
    """

    id: str
    kind: str
    spec: Mapping[str, Json]
    needs: tuple[str, ...] = ()
    name: str | None = None
    if_: str | None = None
    for_each: Json = None
    as_: str = "item"
    max_parallel: int | None = None
    until: str | None = None
    max_rounds: int | None = None
    timeout_s: float | None = None
    idle_timeout_s: float | None = None
    retry: RetryPolicy | None = None
    on_error: tuple[ErrorRule, ...] = ()
    fallback: tuple["Alternative", ...] = ()
    checks: tuple[str, ...] = ()
    output: OutputSpec = OutputSpec()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    stdin: Json = None
    with_: Json = None
    component: str | None = None
    idempotent: bool = True
    continue_on_error: bool = False
    remedies: tuple[Remedy, ...] = ()
    content_hash: str = ""
    line: int = 0


class Alternative(Struct, frozen=True):
    """One entry of `fallback`: another way to do the step, which keeps all its other keys."""

    kind: str
    spec: Mapping[str, Json]
    with_: Json = None
    component: str | None = None


class Input(Struct, frozen=True):
    """One entry of `inputs`. `required` is True when it has no default."""

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = "string"
    description: str = ""
    required: bool = True
    default: Json = None
    enum: tuple[Json, ...] = ()


class Limit(Struct, frozen=True):
    """`limits:` of one component. `rate` calls are allowed per `per_s` seconds."""

    concurrency: int | None = None
    rate: float | None = None
    per_s: float = 1.0


class BreakerPolicy(Struct, frozen=True):
    """`breakers:` of one component: opens after `failures` within `window_s`, for `cooldown_s`."""

    failures: int = 5
    window_s: float = 60.0
    cooldown_s: float = 30.0


class Budget(Struct, frozen=True):
    """`budget:` of a task, cumulative across resumes. None means no limit."""

    usd: float | None = None
    tokens: int | None = None
    time_s: float | None = None


class DebuggerPolicy(Struct, frozen=True):
    """`debugger:` of a workflow. `agent` is the spec of an agent step, or None for rules alone."""

    agent: Mapping[str, Json] | None = None
    autofix: Autofix = "safe"
    max_fixes: int = 2


class Workflow(Struct, frozen=True):
    """A whole workflow. `steps` keep the order of the file; `sha256` is of the file as written.

    `subworkflows` maps the path written in a `workflow:` step to the loaded workflow of that file.
    """

    name: str
    steps: tuple[Step, ...]
    description: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    breakers: Mapping[str, BreakerPolicy] = field(default_factory=dict)
    budget: Budget = Budget()
    debugger: DebuggerPolicy | None = None
    outputs: Json = None
    retention: int = 100
    notify: tuple[Mapping[str, Json], ...] = ()
    sha256: str = ""
    subworkflows: Mapping[str, "Workflow"] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

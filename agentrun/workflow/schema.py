"""What a workflow file may say: one model per mapping of the file, unknown keys refused.

Owns keys, types, ranges and their descriptions, from which the editor's JSON Schema is made.
Refuses to know step kinds (their keys are checked against `StepKind.spec`, see `kinds.py`) and
anything that needs more than one place of the file (see `checks.py`). Pydantic is imported by this
file and its neighbours only, so only where a file is really validated.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentrun.workflow.schema_types import (
    AsName,
    Condition,
    Count,
    Duration,
    EnvName,
    EnvValue,
    ExitCodes,
    ForEach,
    Identifier,
    Kinds,
    PlainText,
    Rate,
    Regex,
    RetryOn,
    SecretName,
    Statuses,
    Text,
    Texts,
)

MAX_STEPS = 20_000
MAX_ATTEMPTS = 1_000
MAX_ROUNDS = 10_000

Env = Annotated[
    dict[EnvName, EnvValue],
    Field(description="environment variables", examples=[{"LC_ALL": "C.UTF-8"}]),
]
Concurrency = Annotated[int, Field(ge=1, le=10_000)]


class Border(BaseModel):
    """Base of all models here: strict types, no unknown keys, YAML names as aliases."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False)


class RetryModel(Border):
    """`retry:` how often and how soon a failed attempt is made again."""

    max_attempts: Annotated[
        int, Field(ge=1, le=MAX_ATTEMPTS, description="attempts in all, the first included")
    ] = 3
    delay: Annotated[Duration, Field(description="wait before the second attempt")] = 1.0
    backoff: Annotated[
        Literal["exponential", "linear", "fixed"], Field(description="how the wait grows")
    ] = "exponential"
    factor: Annotated[float, Field(ge=1, le=100, description="growth of an exponential wait")] = 2.0
    max_delay: Annotated[Duration, Field(description="no wait is longer")] = 60.0
    jitter: Annotated[
        float, Field(ge=0, le=1, description="random share added to each wait, 0 to 1")
    ] = 0.25
    max_elapsed: Annotated[
        Duration | None, Field(description="bound on all attempts together, checked before waiting")
    ] = None
    on: Annotated[
        RetryOn,
        Field(description="only these categories or kinds of failure; `any` for all", min_length=1),
    ] = []


class MatchModel(Border):
    """`match:` of an error rule; every key that is given must hold."""

    kind: Annotated[Kinds, Field(description="kinds of failure")] = []
    category: Annotated[
        Any, Field(description="`transient`, `recoverable`, `fatal`, or a list of them")
    ] = []
    exit_code: Annotated[ExitCodes, Field(description="exit codes of a process")] = []
    status: Annotated[Statuses, Field(description="HTTP status codes")] = []
    text: Annotated[
        Regex | None, Field(description="a regular expression searched in what it printed")
    ] = None


class RemedyMatchModel(Border):
    """`match:` of a remedy."""

    kind: Annotated[Kinds, Field(description="kinds of failure it cures")] = []
    text: Annotated[Regex | None, Field(description="a regular expression")] = None


class RemedyModel(Border):
    """One of `remedies:` a command that is known to cure a failure."""

    match: Annotated[RemedyMatchModel, Field(description="the failures it cures")] = (
        RemedyMatchModel()
    )
    run: Annotated[Text, Field(description="the command", min_length=1)]


class StepModel(Border):
    """The keys that every step may have, whatever its kind."""

    id: Annotated[
        Identifier, Field(description="the step's name in expressions, commands and logs")
    ]
    name: Annotated[PlainText | None, Field(description="what people see instead of the id")] = None
    needs: Annotated[
        Texts | None,
        Field(description="ids to wait for; without it all steps above; `[]` starts at once"),
    ] = None
    if_: Annotated[
        Condition | None, Field(alias="if", description="skipped when this expression is false")
    ] = None
    for_each: Annotated[
        ForEach | None, Field(description="run once per item of this list, in order")
    ] = None
    as_: Annotated[
        AsName | None, Field(alias="as", description="name of the item in expressions: `item`")
    ] = None
    max_parallel: Annotated[Concurrency | None, Field(description="items at the same time")] = None
    until: Annotated[
        Condition | None, Field(description="repeat until this holds over `output`, `exit_code`")
    ] = None
    max_rounds: Annotated[
        int | None, Field(ge=1, le=MAX_ROUNDS, description="most rounds of `until` (10)")
    ] = None
    timeout: Annotated[Duration | None, Field(gt=0, description="bound on one attempt")] = None
    idle_timeout: Annotated[
        Duration | None, Field(gt=0, description="longest silence of one attempt")
    ] = None
    retry: Annotated[RetryModel | None, Field(description="how often to try again")] = None
    on_error: Annotated[
        list[Any], Field(description="what to do on which failure; the first match wins")
    ] = []
    fallback: Annotated[
        list[Any], Field(description="other ways to do the step, tried in order")
    ] = []
    checks: Annotated[
        Texts, Field(description="commands or `${{ expressions }}` that must hold afterwards")
    ] = []
    output: Annotated[
        Any, Field(description="`text`, `json`, `lines`, a map of fields, or `{schema: ...}`")
    ] = None
    env: Env = {}
    cwd: Annotated[Text | None, Field(description="folder to run in")] = None
    stdin: Annotated[Any, Field(description="what the process reads; data is sent as JSON")] = None
    with_: Annotated[
        Any, Field(alias="with", description="arguments of `python`, inputs of `workflow`")
    ] = None
    component: Annotated[
        PlainText | None, Field(description="what it depends on, for `limits` and `breakers`")
    ] = None
    idempotent: Annotated[
        bool, Field(description="false: it has side effects and is not repeated unasked")
    ] = True
    continue_on_error: Annotated[
        bool, Field(description="true: the task goes on when the step failed")
    ] = False
    remedies: Annotated[
        list[RemedyModel], Field(description="commands known to cure a failure")
    ] = []


class DefaultsModel(StepModel):
    """`defaults:` common keys for every step but `wait` and `approval`; a step's own key wins."""

    id: Annotated[Any, Field(exclude=True)] = None


class InputModel(Border):
    """One of `inputs:` a value given when the workflow is started."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean", "array", "object"],
        Field(description="its JSON type"),
    ] = "string"
    description: Annotated[Text, Field(description="what it is for")] = ""
    default: Annotated[Any, Field(description="its value when none is given")] = None
    enum: (
        Annotated[list[Any], Field(description="the values to choose from", min_length=1)] | None
    ) = None


class LimitModel(Border):
    """One of `limits:` shared by all steps and tasks of the checkpoint folder."""

    concurrency: Annotated[Concurrency | None, Field(description="attempts at the same time")] = (
        None
    )
    rate: Annotated[Rate | None, Field(description="attempts started per time")] = None


class BreakerModel(Border):
    """One of `breakers:` when to leave a component alone."""

    failures: Annotated[int, Field(ge=1, le=10_000, description="failures that open it")] = 5
    window: Annotated[Duration, Field(gt=0, description="time in which they are counted")] = 60.0
    cooldown: Annotated[Duration, Field(gt=0, description="how long it stays open")] = 30.0


class BudgetModel(Border):
    """`budget:` of a task, resumes included."""

    usd: Annotated[float | None, Field(gt=0, description="money")] = None
    tokens: Annotated[Count | None, Field(gt=0, description="tokens in and out")] = None
    time: Annotated[Duration | None, Field(gt=0, description="time of all runs")] = None


class DebuggerModel(Border):
    """`debugger:` what may be done about a failure that retries did not cure."""

    agent: Annotated[Any, Field(description="the agent that is asked, as in an `agent` step")] = (
        None
    )
    autofix: Annotated[
        Literal["off", "suggest", "safe", "full"],
        BeforeValidator(lambda given: "off" if given is False else given),
        Field(description="what may be applied"),
    ] = "safe"
    max_fixes: Annotated[int, Field(ge=0, le=100, description="fixes tried in one task")] = 2


class NotifyModel(Border):
    """One of `notify:` where to tell how a task ended."""

    url: Annotated[Text, Field(min_length=1, description="a webhook, or an address of Apprise")]
    on: Annotated[
        list[Literal["succeeded", "failed", "paused", "escalated", "cancelled", "interrupted"]],
        Field(description="the endings to tell; `escalated`: a person is asked", min_length=1),
    ] = ["failed", "paused"]


class WorkflowModel(Border):
    """A workflow file."""

    name: Annotated[
        PlainText | None,
        Field(min_length=1, max_length=100, description="default: the file's stem"),
    ] = None
    description: Annotated[Text, Field(description="what it is for")] = ""
    inputs: Annotated[
        dict[Identifier, InputModel | None], Field(description="values given at the start")
    ] = {}
    secrets: Annotated[
        list[SecretName],
        Field(description="environment variables that must be set and never reach disk"),
    ] = []
    env: Env = {}
    defaults: Annotated[dict[str, Any], Field(description="common keys of all steps")] = {}
    limits: Annotated[
        dict[str, LimitModel], Field(description="bounds per component, such as `claude`")
    ] = {}
    breakers: Annotated[
        dict[str, BreakerModel], Field(description="circuit breakers per component")
    ] = {}
    budget: Annotated[BudgetModel, Field(description="bounds on the whole task")] = BudgetModel()
    debugger: Annotated[
        DebuggerModel | None, Field(description="who looks at failures, and what may be done")
    ] = None
    steps: Annotated[
        list[Any], Field(min_length=1, max_length=MAX_STEPS, description="what is done")
    ]
    outputs: Annotated[
        Any, Field(description="the result; default: the output of the last step")
    ] = None
    retention: Annotated[
        int, Field(ge=0, le=1_000_000, description="successful tasks that are kept")
    ] = 100
    notify: Annotated[list[NotifyModel], Field(description="whom to tell how it ended")] = []


COMMON_KEYS: frozenset[str] = frozenset(
    each.alias or name for name, each in StepModel.model_fields.items()
)
"""The keys of `StepModel` as they stand in YAML."""

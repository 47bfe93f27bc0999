"""What is known of one step. Plain data: only state.py changes it."""

from typing import Literal

from msgspec import Struct

from agentrun.core import events as ev
from agentrun.core.failure import Failure
from agentrun.core.model import Json
from agentrun.core.outcome import Usage
from agentrun.core.value import Value

StepStatus = Literal[
    "pending",
    "running",
    "waiting",
    "succeeded",
    "failed",
    "blocked",
    "skipped",
    "cancelled",
    "interrupted",
]
Waiting = Literal["retry", "wait", "approval", "person", "parked"]
OUT_OF_ROUNDS = "until.max_rounds"
"""The rule of the failure of a step whose rounds are used up."""


class StepState(Struct, omit_defaults=True, gc=False):
    """What is known of one step, item or sub-workflow step.

    `attempts` counts all attempts ever; `charged` those of the current set that count against
    `max_attempts`. `undecided` is True between a failed attempt and what follows from it.
    `gave_up` is True when the step has ended failed. `generation` counts how often the step was
    reset. `adjusted` counts the adjustments that the last attempt began with, `adjusted_before`
    those of the attempt before it: what is between is new. `busy_s` is the sum of the attempts'
    durations. `rounds_before` are the rounds that were used up before the last grant. `items` and
    `count` belong to a `for_each`, and `at_once`, how many items may run at once since they were in
    each other's way; `scope` to a sub-workflow. `interruptions` counts those in a row. `fix` is the
    one to be verified, `fix_begun` True once an attempt with it has begun, `fixes` all that were
    tried.
    """

    status: StepStatus = "pending"
    attempts: int = 0
    charged: int = 0
    round: int = 1
    rounds_before: int = 0
    alternative: int = 0
    generation: int = 0
    undecided: bool = False
    gave_up: bool = False
    continued: bool = False
    output: Value | None = None
    exit_code: int | None = None
    extra: Value | None = None
    failure: Failure | None = None
    failures: int = 0
    started_at: float | None = None
    attempt_started_at: float | None = None
    set_started_at: float | None = None
    ended_at: float | None = None
    busy_s: float = 0.0
    usage: Usage | None = None
    session: str | None = None
    messages: tuple[Value, ...] = ()
    adjustments: tuple[ev.Adjustment, ...] = ()
    adjusted: int = 0
    adjusted_before: int = 0
    waiting: Waiting | None = None
    until: float | None = None
    question: str = ""
    approval: ev.ApprovalAsked | None = None
    answer: Json = None
    interruptions: int = 0
    process: ev.ProcessNoted | None = None
    items: Value | None = None
    count: int = 0
    at_once: int | None = None
    scope: ev.ScopeOpened | None = None
    fix: ev.FixApplied | None = None
    fix_begun: bool = False
    fixes: tuple[str, ...] = ()
    diagnosis: ev.Diagnosed | None = None

    @property
    def settled(self) -> bool:
        """True when the step is over for this run: done, or failed with nothing left to try."""
        return self.status in {"succeeded", "skipped", "blocked", "cancelled"} or self.gave_up

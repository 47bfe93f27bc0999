"""What follows from a failed attempt.

Owns the order of the answers: the workflow's own `on_error` rules, another attempt (adjusted where
a change fits), the next model, the next `fallback`, the Debugger, `continue_on_error`, and at the
end parking (something temporary) or giving up. Refuses to know clocks, files and randomness: time
and the draw for the jitter come in, a `Decision` goes out, and the runner records it before acting.
"""

import re
from typing import assert_never

from msgspec import Struct, structs

from agentrun.core import retry
from agentrun.core.decision import Debug, Decision, GiveUp, Halt, Park, Retry, TakeFallback
from agentrun.core.events import Adjustment
from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.model import ErrorRule, RetryPolicy, Step
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.adjust.next_model import take_next_model
from agentrun.recovery.adjust.remedy import REMEDY, run_remedy
from agentrun.recovery.adjust.table import propose
from agentrun.recovery.fallback import way

MAX_RETRIES_PER_TASK = 1000
"""Beyond this many retries (and one more per step that the task knows) a task only fails."""
REASON_CHARS = 200

NOT_FOR_DEBUGGER = frozenset(
    {Kind.NETWORK, Kind.RATE_LIMIT, Kind.OVERLOADED, Kind.TIMEOUT, Kind.LOCK}
    | {Kind.AUTH, Kind.QUOTA, Kind.SECURITY, Kind.CANCELLED}
)
"""Time, a key, money or a person's word is what these need; no fix of a step brings it."""


class _Case(Struct, frozen=True):
    """One failed attempt, and everything its decision may depend on."""

    step: Step
    state: StepState
    task: TaskState
    failure: Failure
    now: float
    draw: float
    max_wait_s: float
    debugger: bool

    @property
    def repeatable(self) -> bool:
        """False where another attempt could do twice what must happen once."""
        return self.step.idempotent or not self.failure.took_effect

    @property
    def failed_at(self) -> float:
        """When the attempt failed; what a server asks for counts from here."""
        return min(self.now, self.state.ended_at or self.now)

    @property
    def asked_until(self) -> float | None:
        """The moment before which the failure itself says that another attempt is useless."""
        wait = self.failure.retry_after_s
        return None if wait is None else self.failed_at + wait


class _TooLong(Struct, frozen=True):
    """Another attempt is due, but not before `until`, which is too long to wait for."""

    until: float


def decide(
    step: Step,
    state: StepState,
    task: TaskState,
    now: float,
    draw: float,
    *,
    max_wait_s: float,
    debugger: bool,
) -> Decision:
    """Return what follows from `state.failure`.

    `step` is as the workflow has it; its current alternative is looked up here. `draw` in [0, 1)
    is drawn by the caller. After a wait longer than `max_wait_s` the task is parked.
    """
    failure = state.failure
    if failure is None:
        raise ValueError(f"step {step.id} has no failure to decide about")
    current = way(step, state.alternative)
    case = _Case(current, state, task, failure, now, draw, max_wait_s, debugger)
    rule = next((rule for rule in step.on_error if matches(rule, failure)), None)
    if failure.kind is Kind.SECURITY and (rule is None or not _may_soften(rule)):
        return Halt(f"security: {failure.message}")
    return _by_default(case) if rule is None else _by_rule(case, rule)


def matches(rule: ErrorRule, failure: Failure) -> bool:
    """Return whether all that the rule names holds for the failure."""
    said = f"{failure.message}\n{failure.evidence}\n{failure.tail}"
    return (
        (not rule.kind or failure.kind in rule.kind)
        and (not rule.category or failure.category in rule.category)
        and (not rule.exit_code or failure.exit_code in rule.exit_code)
        and (not rule.status or failure.status in rule.status)
        and (rule.text is None or re.search(rule.text, said) is not None)
    )


def _may_soften(rule: ErrorRule) -> bool:
    """Only a rule that names `security` itself may choose something else than to halt."""
    return Kind.SECURITY in rule.kind and rule.action not in {"retry", "adjust"}


def _by_rule(case: _Case, rule: ErrorRule) -> Decision:
    match rule.action:
        case "retry":
            return _first_answer(case, _again(case, _policy_of_rule(case), blind=True))
        case "adjust":
            return _first_answer(case, _again(case, _policy_of_rule(case), blind=False))
        case "fallback":
            return _fallback(case, told=True) or _end(case, None)
        case "continue":
            return GiveUp(_why(case), continued=True)
        case "debug":
            return Debug(_why(case)) if case.debugger else _end(case, None)
        case "fail":
            return GiveUp(_why(case), continued=case.step.continue_on_error)
        case _:
            assert_never(rule.action)


def _policy_of_rule(case: _Case) -> RetryPolicy:
    """Return what bounds a rule that says `retry` or `adjust`."""
    return case.step.retry or retry.BY_CATEGORY[Category.TRANSIENT]


def _by_default(case: _Case) -> Decision:
    declared = case.step.retry
    if declared is not None:
        covered = retry.covers(declared, case.failure)
        return _first_answer(case, _again(case, declared, blind=covered, change=covered))
    policy = retry.policy_for(case.step, case.failure.category)
    transient = case.failure.category is Category.TRANSIENT
    return _first_answer(case, _again(case, policy, blind=transient))


def _first_answer(case: _Case, again: Retry | _TooLong | None) -> Decision:
    """Another attempt if there is one now, else the next way, else help, else the end."""
    if isinstance(again, Retry):
        return again
    until = again.until if again else None
    return _next_model(case) or _fallback(case) or _debug(case) or _end(case, until)


# --- another attempt ----------------------------------------------------------------------------


def _again(
    case: _Case, policy: RetryPolicy, *, blind: bool, change: bool = True
) -> Retry | _TooLong | None:
    """Another attempt. `blind` allows one like the last, `change` one with an adjustment; a
    declared remedy that was not run yet is always reason for another.
    """
    if not _may_repeat(case):
        return None
    remedy = run_remedy(case.step, case.state, case.failure, case.task)
    adjustment = remedy
    if remedy is None and change:
        adjustment = propose(case.step, case.state, case.failure, case.task)
    if adjustment is None and not blind:
        return None
    of = _most_attempts(case, policy, adjustment)
    policy = structs.replace(policy, max_attempts=of)
    at = _due(case, policy)
    if retry.used_up(policy, case.state.charged, _elapsed(case), at - case.now):
        return None
    if at - case.now > case.max_wait_s:
        return _TooLong(at)
    return _retry(case, at, of, adjustment)


def _may_repeat(case: _Case) -> bool:
    bound = MAX_RETRIES_PER_TASK + len(case.task.steps)
    never = retry.never_retried(case.failure)
    return case.repeatable and not never and case.task.retries < bound


def _most_attempts(case: _Case, policy: RetryPolicy, adjustment: Adjustment | None) -> int:
    """Return the limit: what the step declares. Where it declares nothing, a change of a new kind
    is worth its one attempt although others were spent on failures of another kind.
    """
    if case.step.retry is not None or adjustment is None:
        return policy.max_attempts
    if adjustment.kind == REMEDY:
        return max(policy.max_attempts, case.state.charged + 1)
    if case.failure.category is not Category.RECOVERABLE:
        return policy.max_attempts
    made_before = any(made.kind == adjustment.kind for made in case.state.adjustments)
    others = retry.BY_CATEGORY[Category.TRANSIENT].max_attempts
    return policy.max_attempts if made_before else max(policy.max_attempts, others)


def _due(case: _Case, policy: RetryPolicy) -> float:
    """When the next attempt is due. What the failure asked for is a floor, with the jitter of the
    first wait on top, so that many steps that were told the same do not come back at once.
    """
    due = case.now + retry.delay_s(policy, case.state.charged, case.draw)
    if case.asked_until is None:
        return due
    return max(due, case.asked_until + policy.delay_s * policy.jitter * case.draw)


def _elapsed(case: _Case) -> float:
    return case.now - (case.state.set_started_at or case.now)


def _retry(case: _Case, at: float, of: int, adjustment: Adjustment | None) -> Retry:
    asked = case.asked_until is not None and case.asked_until > case.now
    reason = f"{case.failure.kind}, which asked to wait" if asked else str(case.failure.kind)
    return Retry(at, at - case.now, of, reason, (adjustment,) if adjustment else ())


# --- other ways ---------------------------------------------------------------------------------


def _next_model(case: _Case) -> Retry | None:
    """Each further model of the list has one attempt of its own, however many were used up."""
    if not _may_repeat(case):
        return None
    change = take_next_model(case.step, case.state, case.failure, case.task)
    if change is None:
        return None
    return Retry(case.now, 0.0, case.state.charged + 1, str(case.failure.kind), (change,))


def _fallback(case: _Case, *, told: bool = False) -> TakeFallback | None:
    """Take the next way; after `security` and `cancelled` only where a rule says so."""
    next_one = case.state.alternative + 1
    if next_one > len(case.step.fallback) or not case.repeatable:
        return None
    if retry.never_retried(case.failure) and not told:
        return None
    return TakeFallback(next_one, _why(case))


def _debug(case: _Case) -> Debug | None:
    helps = case.failure.kind not in NOT_FOR_DEBUGGER
    return Debug(_why(case)) if case.debugger and helps else None


# --- the end ------------------------------------------------------------------------------------


def _end(case: _Case, until: float | None) -> GiveUp | Park:
    """Nothing is left to try. A step that must not be repeated by itself is never parked: whoever
    resumes parked tasks in a loop would repeat it.
    """
    if case.step.continue_on_error:
        return GiveUp(_why(case), continued=True)
    if not case.repeatable:
        return GiveUp(f"{_why(case)} (not idempotent: it may have taken effect)")
    if until is not None:
        return Park(_why(case), until)
    known = case.asked_until
    if case.failure.category is Category.TRANSIENT:
        return Park(_why(case), known if known is not None and known > case.now else None)
    if case.failure.kind is Kind.QUOTA and known is not None:
        return Park(_why(case), known)
    return GiveUp(_why(case))


def _why(case: _Case) -> str:
    lines = case.failure.message.strip().splitlines()
    return f"{case.failure.kind}: {lines[0][:REASON_CHARS]}" if lines else str(case.failure.kind)

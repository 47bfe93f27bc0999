"""Whether a failed attempt may be tried again, and after how long.

Owns the arithmetic of `retry:`: which failures a policy covers, how long the next wait is, when a
set of attempts is over. tenacity's `wait_*` and `stop_*` strategies are used as plain values on
recorded attempts: there is no loop here and no clock. Refuses to know adjustments, fallbacks and
parking (recovery/policy.py).

    delay_s(RetryPolicy(), failures_so_far=3, draw=0.5)  ->  4.5     # 4 s, and half of 25 % on top

tenacity costs 40 ms to import, so it is imported when the first failure needs it.
"""

from agentrun.core.failure import Category, Failure, Kind
from agentrun.core.model import ANY, RetryPolicy, Step

NEVER_RETRIED = frozenset({Kind.SECURITY, Kind.CANCELLED})
"""What not even `on: [any]` covers."""

RETRIED_THOUGH_FATAL = frozenset({Kind.UNKNOWN, Kind.CRASH})
"""What a declared `retry:` without `on` covers beside transient and recoverable failures."""

BY_CATEGORY = {
    Category.TRANSIENT: RetryPolicy(max_attempts=3),
    Category.RECOVERABLE: RetryPolicy(max_attempts=2),
    Category.FATAL: RetryPolicy(max_attempts=1),
}
"""What holds for a step that declares no `retry:`."""


def policy_for(step: Step, category: Category) -> RetryPolicy:
    """Return the step's own policy, or the one of the category when it declares none."""
    return step.retry or BY_CATEGORY[category]


def covers(policy: RetryPolicy, failure: Failure) -> bool:
    """Return whether a declared policy's `on` covers the failure."""
    if never_retried(failure):
        return False
    if policy.on:
        return not {ANY, failure.category, failure.kind}.isdisjoint(policy.on)
    if failure.category is Category.FATAL:
        return failure.kind in RETRIED_THOUGH_FATAL
    return failure.kind is not Kind.LOGIC


def never_retried(failure: Failure) -> bool:
    """Return whether no policy covers it. A reclaimed machine is `cancelled` and transient at
    once: nobody asked the step to stop, so it counts as transient.
    """
    reclaimed = failure.kind is Kind.CANCELLED and failure.category is Category.TRANSIENT
    return failure.kind in NEVER_RETRIED and not reclaimed


def delay_s(policy: RetryPolicy, failures_so_far: int, draw: float) -> float:
    """Return the wait before the next attempt, in seconds, after that many failures of this set.

    `draw` in [0, 1) decides the jitter, a share of the wait added on top of it; who calls records
    what came of it, so that a replay needs no randomness.
    """
    from tenacity import RetryCallState, wait_exponential, wait_fixed, wait_incrementing

    recorded = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    recorded.attempt_number = max(1, failures_so_far)
    delay, most = policy.delay_s, policy.max_delay_s
    match policy.backoff:
        case "exponential":
            base = wait_exponential(delay, max=most, exp_base=policy.factor)(recorded)
        case "linear":
            base = wait_incrementing(delay, increment=delay, max=most)(recorded)
        case "fixed":
            base = min(most, wait_fixed(delay)(recorded))
    return base + base * policy.jitter * draw


def used_up(
    policy: RetryPolicy, failures_so_far: int, elapsed_s: float, next_delay_s: float
) -> bool:
    """Return whether the set of attempts is over: their number is reached, or the next one would
    begin after `max_elapsed`. Asked before sleeping, so that no wait is spent for nothing.
    """
    from tenacity import RetryCallState, stop_after_attempt, stop_any, stop_before_delay

    recorded = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    recorded.attempt_number = failures_so_far
    recorded.start_time, recorded.outcome_timestamp = 0.0, max(0.0, elapsed_s)
    recorded.upcoming_sleep = next_delay_s
    rules = [stop_after_attempt(policy.max_attempts)]
    if policy.max_elapsed_s is not None:
        return stop_any(*rules, stop_before_delay(policy.max_elapsed_s))(recorded)
    return stop_any(*rules)(recorded)

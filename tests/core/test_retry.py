"""Which failures a policy covers, how long the waits are, when a set of attempts is over."""

import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from agentrun.core import retry
from agentrun.core.failure import CATEGORY_OF, Category, Failure, Kind
from agentrun.core.model import RetryPolicy, Step


def failure(kind: Kind, category: Category | None = None) -> Failure:
    return Failure(category or CATEGORY_OF[kind], kind, "it failed")


policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 50),
    delay_s=st.floats(0, 3600),
    backoff=st.sampled_from(["exponential", "linear", "fixed"]),
    factor=st.floats(1, 10),
    max_delay_s=st.floats(0, 86400),
    jitter=st.floats(0, 1),
)
draws = st.floats(0, 1, exclude_max=True)


def test_the_default_waits_are_one_two_four_eight_sixteen_seconds() -> None:
    waits = [retry.delay_s(RetryPolicy(), n, 0.0) for n in range(1, 6)]
    assert waits == [1, 2, 4, 8, 16]


def test_a_linear_wait_grows_by_the_delay() -> None:
    policy = RetryPolicy(delay_s=3, backoff="linear", max_delay_s=8)
    assert [retry.delay_s(policy, n, 0.0) for n in (1, 2, 3)] == [3, 6, 8]


def test_a_fixed_wait_stays_and_is_bounded_by_max_delay() -> None:
    policy = RetryPolicy(delay_s=90, backoff="fixed", max_delay_s=60)
    assert [retry.delay_s(policy, n, 0.0) for n in (1, 5)] == [60, 60]


def test_jitter_is_added_on_top() -> None:
    assert retry.delay_s(RetryPolicy(jitter=0.25), 3, 0.5) == 4.5


@given(policies, st.integers(1, 10_000), draws)
def test_a_wait_stays_within_its_bounds(policy: RetryPolicy, failures: int, draw: float) -> None:
    wait = retry.delay_s(policy, failures, draw)
    assert 0 <= wait <= policy.max_delay_s * (1 + policy.jitter) * (1 + 1e-9)


@given(policies, st.integers(1, 100), draws)
def test_waits_never_shrink(policy: RetryPolicy, failures: int, draw: float) -> None:
    now, later = (retry.delay_s(policy, n, draw) for n in (failures, failures + 1))
    assert later >= now - 1e-9


def test_a_step_without_retry_has_the_attempts_of_the_category() -> None:
    step = Step("s", "run", {})
    most = {category: retry.policy_for(step, category).max_attempts for category in Category}
    assert most == {Category.TRANSIENT: 3, Category.RECOVERABLE: 2, Category.FATAL: 1}


def test_a_declared_policy_holds_for_every_category() -> None:
    declared = RetryPolicy(max_attempts=7)
    step = Step("s", "run", {}, retry=declared)
    assert {retry.policy_for(step, category) for category in Category} == {declared}


def test_retry_without_on_covers_what_may_pass_and_what_nobody_understands() -> None:
    covered = {kind for kind in Kind if retry.covers(RetryPolicy(), failure(kind))}
    fatal = {Kind.UNKNOWN, Kind.CRASH}
    others = {k for k in Kind if CATEGORY_OF[k] is not Category.FATAL} - {Kind.LOGIC}
    assert covered == fatal | others


def test_any_covers_everything_but_security_and_cancelled() -> None:
    policy = RetryPolicy(on=("any",))
    covered = {kind for kind in Kind if retry.covers(policy, failure(kind))}
    assert covered == set(Kind) - {Kind.SECURITY, Kind.CANCELLED}


@pytest.mark.parametrize("on", [("fatal",), ("security", "cancelled"), ("any", "security")])
def test_no_list_covers_security_or_cancelled(on: tuple[str, ...]) -> None:
    for kind in (Kind.SECURITY, Kind.CANCELLED):
        assert not retry.covers(RetryPolicy(on=on), failure(kind))


def test_a_list_covers_what_it_names_and_nothing_else() -> None:
    policy = RetryPolicy(on=("network", "recoverable"))
    covered = {kind for kind in Kind if retry.covers(policy, failure(kind))}
    named = {kind for kind in Kind if CATEGORY_OF[kind] is Category.RECOVERABLE}
    assert covered == named | {Kind.NETWORK}


def test_a_reclaimed_machine_is_retried_although_it_was_cancelled() -> None:
    assert retry.covers(RetryPolicy(), failure(Kind.CANCELLED, Category.TRANSIENT))


@given(policies, st.integers(1, 100))
def test_the_attempts_are_used_up_exactly_at_their_number(
    policy: RetryPolicy, failures: int
) -> None:
    assert retry.used_up(policy, failures, 0.0, 1.0) == (failures >= policy.max_attempts)


def test_max_elapsed_counts_the_wait_that_would_come() -> None:
    policy = RetryPolicy(max_attempts=99, max_elapsed_s=60)
    assert not retry.used_up(policy, 1, elapsed_s=50, next_delay_s=9)
    assert retry.used_up(policy, 1, elapsed_s=50, next_delay_s=10)


def test_importing_the_module_does_not_import_tenacity() -> None:
    code = "import sys, agentrun.core.retry; sys.exit('tenacity' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

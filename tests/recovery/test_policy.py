"""What follows from a failure, kind by kind."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentrun.core.decision import Debug, Decision, GiveUp, Halt, Park, Retry, TakeFallback
from agentrun.core.events import Adjustment
from agentrun.core.failure import CATEGORY_OF, Category, Failure, Kind
from agentrun.core.model import Alternative, ErrorRule, Remedy, RetryPolicy, Step
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.policy import MAX_RETRIES_PER_TASK, decide

NOW = 1_000_000.0


def failed(kind: Kind, *, category: Category | None = None, **more: Any) -> Failure:
    return Failure(category or CATEGORY_OF[kind], kind, more.pop("message", "it failed"), **more)


def after(
    failure: Failure,
    step: Step | None = None,
    *,
    charged: int = 1,
    draw: float = 0.0,
    debugger: bool = False,
    task: TaskState | None = None,
    max_wait_s: float = 600,
    **state: Any,
) -> Decision:
    known = StepState(
        status="failed",
        attempts=charged,
        charged=charged,
        failure=failure,
        undecided=True,
        set_started_at=NOW - 10,
        attempt_started_at=NOW - 5,
        ended_at=NOW,
        **state,
    )
    return decide(
        step or Step("s", "run", {"command": "x"}),
        known,
        task or TaskState("t", max_parallel=8),
        NOW,
        draw,
        max_wait_s=max_wait_s,
        debugger=debugger,
    )


def run(**more: Any) -> Step:
    return Step("s", "run", {"command": "x"}, **more)


def agent(**more: Any) -> Step:
    return Step("s", "agent", more.pop("spec", {"cli": "claude", "prompt": "p"}), **more)


# --- the table of SPEC ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [Kind.NETWORK, Kind.TIMEOUT, Kind.RATE_LIMIT, Kind.OVERLOADED, Kind.LOCK]
)
def test_a_transient_failure_has_three_attempts_and_then_parks(kind: Kind) -> None:
    first, second = after(failed(kind)), after(failed(kind), charged=2)
    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert (first.delay_s, second.delay_s, first.of) == (1, 2, 3)
    assert isinstance(after(failed(kind), charged=3), Park)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in Kind if CATEGORY_OF[kind] is Category.FATAL and kind is not Kind.SECURITY],
)
def test_a_fatal_failure_is_not_tried_again(kind: Kind) -> None:
    assert isinstance(after(failed(kind)), GiveUp)


def test_logic_is_never_tried_again_blindly() -> None:
    assert isinstance(after(failed(Kind.LOGIC)), GiveUp)
    assert isinstance(after(failed(Kind.LOGIC), run(retry=RetryPolicy(5))), GiveUp)


def test_logic_goes_to_the_debugger() -> None:
    assert isinstance(after(failed(Kind.LOGIC), debugger=True), Debug)


def test_security_halts_the_task_whatever_is_declared() -> None:
    rules = (ErrorRule("retry"), ErrorRule("continue"))
    step = run(retry=RetryPolicy(5, on=("any",)), on_error=rules, continue_on_error=True)
    assert isinstance(after(failed(Kind.SECURITY), step), Halt)
    assert isinstance(after(failed(Kind.SECURITY), run(on_error=(ErrorRule("fallback"),))), Halt)


def test_only_a_rule_that_names_security_may_choose_another_way() -> None:
    other = (Alternative("run", {"command": "y"}),)
    named = run(on_error=(ErrorRule("fallback", kind=("security",)),), fallback=other)
    assert isinstance(after(failed(Kind.SECURITY), named), TakeFallback)
    retried = run(on_error=(ErrorRule("retry", kind=("security",)),))
    assert isinstance(after(failed(Kind.SECURITY), retried), Halt)


def test_cancelled_is_never_tried_again_in_any_way() -> None:
    step = run(
        retry=RetryPolicy(5, on=("any",)),
        on_error=(ErrorRule("retry"),),
        fallback=(Alternative("run", {}),),
        remedies=(Remedy("cure", kind=("cancelled",)),),
    )
    assert isinstance(after(failed(Kind.CANCELLED), step), GiveUp)


def test_a_reclaimed_machine_counts_as_transient() -> None:
    assert isinstance(after(failed(Kind.CANCELLED, category=Category.TRANSIENT)), Retry)


def test_a_quota_with_a_known_reset_parks_until_then() -> None:
    assert after(failed(Kind.QUOTA, retry_after_s=3600.0)) == Park("quota: it failed", NOW + 3600)


# --- waiting --------------------------------------------------------------------------------------


def test_retry_after_is_a_floor() -> None:
    decision = after(failed(Kind.RATE_LIMIT, retry_after_s=30.0), draw=0.4)
    assert isinstance(decision, Retry)
    assert decision.at == pytest.approx(NOW + 30 + 0.1)


def test_retry_after_counts_from_the_failure_not_from_the_decision() -> None:
    failure = failed(Kind.RATE_LIMIT, retry_after_s=30.0)
    state = StepState(charged=1, failure=failure, ended_at=NOW - 20)
    decision = decide(run(), state, TaskState("t"), NOW, 0.0, max_wait_s=600.0, debugger=False)
    assert isinstance(decision, Retry)
    assert decision.at == NOW + 10


def test_a_short_retry_after_does_not_shorten_the_backoff() -> None:
    decision = after(failed(Kind.RATE_LIMIT, retry_after_s=0.1), charged=2)
    assert isinstance(decision, Retry)
    assert decision.delay_s == 2


def test_a_wait_that_is_too_long_parks_until_it_is_over() -> None:
    decision = after(failed(Kind.RATE_LIMIT, retry_after_s=601.0))
    assert decision == Park("rate_limit: it failed", NOW + 601)


def test_a_fallback_is_better_than_a_wait_that_is_too_long() -> None:
    step = run(fallback=(Alternative("run", {}),))
    assert isinstance(after(failed(Kind.RATE_LIMIT, retry_after_s=6000.0), step), TakeFallback)


def test_max_elapsed_is_asked_before_sleeping() -> None:
    step = run(retry=RetryPolicy(9, delay_s=5, max_elapsed_s=14))
    assert isinstance(after(failed(Kind.NETWORK), step), Park)
    step = run(retry=RetryPolicy(9, delay_s=5, max_elapsed_s=16))
    assert isinstance(after(failed(Kind.NETWORK), step), Retry)


# --- what a step declares -------------------------------------------------------------------------


def test_a_declared_retry_covers_unknown_failures() -> None:
    step = run(retry=RetryPolicy(2))
    assert isinstance(after(failed(Kind.UNKNOWN), step), Retry)
    assert isinstance(after(failed(Kind.UNKNOWN), step, charged=2), GiveUp)


def test_a_declared_retry_repeats_a_recoverable_failure_even_without_an_adjustment() -> None:
    assert isinstance(after(failed(Kind.RESOURCE_CONFLICT), run()), GiveUp)
    assert isinstance(after(failed(Kind.RESOURCE_CONFLICT), run(retry=RetryPolicy(2))), Retry)


def test_the_first_rule_that_matches_wins() -> None:
    rules = (
        ErrorRule("fail", text="no such host"),
        ErrorRule("continue", category=("transient",)),
        ErrorRule("retry"),
    )
    step = run(on_error=rules)
    typo = failed(Kind.NETWORK, message="x: no such host")
    assert after(typo, step) == GiveUp("network: x: no such host")
    assert after(failed(Kind.NETWORK), step) == GiveUp("network: it failed", continued=True)
    assert isinstance(after(failed(Kind.AUTH), step), Retry)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (ErrorRule("fail", exit_code=(3, 4), status=(503,)), True),
        (ErrorRule("fail", exit_code=(3,), status=(500,)), False),
        (ErrorRule("fail", kind=("overloaded",), category=("fatal",)), False),
        (ErrorRule("fail", text=r"code=\d+"), True),
    ],
)
def test_everything_that_a_rule_names_must_hold(rule: ErrorRule, *, holds: bool) -> None:
    failure = failed(Kind.OVERLOADED, exit_code=4, status=503, tail="... code=17")
    decision = after(failure, run(on_error=(rule,)))
    assert isinstance(decision, GiveUp) == holds


def test_a_rule_that_adjusts_does_nothing_blindly() -> None:
    step = run(on_error=(ErrorRule("adjust"),))
    assert isinstance(after(failed(Kind.UNKNOWN), step), GiveUp)
    assert isinstance(after(failed(Kind.DISK_FULL), step), Retry)


def test_a_rule_that_asks_for_the_debugger_gets_it_where_there_is_one() -> None:
    step = run(on_error=(ErrorRule("debug"),))
    assert isinstance(after(failed(Kind.AUTH), step, debugger=True), Debug)
    assert isinstance(after(failed(Kind.AUTH), step), GiveUp)


def test_fallbacks_are_taken_in_order_when_the_way_before_is_used_up() -> None:
    step = run(fallback=(Alternative("run", {}), Alternative("http", {"url": "u"})))
    assert isinstance(after(failed(Kind.NETWORK), step), Retry)
    assert after(failed(Kind.NETWORK), step, charged=3) == TakeFallback(1, "network: it failed")
    assert after(failed(Kind.AUTH), step, alternative=1) == TakeFallback(2, "auth: it failed")
    assert isinstance(after(failed(Kind.AUTH), step, alternative=2), GiveUp)


def test_continue_on_error_goes_on_instead_of_parking() -> None:
    step = run(continue_on_error=True)
    assert after(failed(Kind.NETWORK), step, charged=3) == GiveUp(
        "network: it failed", continued=True
    )


# --- not idempotent -------------------------------------------------------------------------------


def test_a_step_that_is_not_idempotent_is_not_repeated_where_it_may_have_taken_effect() -> None:
    step = run(
        idempotent=False,
        retry=RetryPolicy(5),
        fallback=(Alternative("run", {}),),
        on_error=(ErrorRule("retry"),),
    )
    decision = after(failed(Kind.TIMEOUT), step)
    assert isinstance(decision, GiveUp)
    assert "not idempotent" in decision.reason


def test_a_step_that_is_not_idempotent_is_repeated_where_nothing_happened() -> None:
    refused = failed(Kind.NETWORK, took_effect=False)
    assert isinstance(after(refused, run(idempotent=False)), Retry)
    assert isinstance(after(refused, run(idempotent=False), charged=3), Park)


# --- adjustments ----------------------------------------------------------------------------------


def changes(decision: Decision) -> dict[str, Any]:
    assert isinstance(decision, Retry), decision
    return {key: value for a in decision.adjustments for key, value in a.change.items()}


def test_what_did_not_fit_goes_back_to_the_agent() -> None:
    failure = failed(Kind.OUTPUT_FORMAT, message="$.label: 'x' is not one of ['bug']")
    assert "is not one of ['bug']" in changes(after(failure, agent()))["prompt_addition"]


def test_a_recoverable_failure_has_two_attempts() -> None:
    fed_back = (Adjustment("validation_fed_back", {"prompt_addition": "no"}),)
    failure = failed(Kind.OUTPUT_FORMAT)
    assert isinstance(after(failure, agent(), charged=2, adjustments=fed_back), GiveUp)


def test_an_adjustment_has_its_attempt_although_the_network_took_one_before() -> None:
    decision = after(failed(Kind.OUTPUT_FORMAT), agent(), charged=2)
    assert isinstance(decision, Retry)
    assert decision.of == 3


def test_a_function_that_returns_rubbish_is_not_asked_again() -> None:
    step = Step("s", "python", {"function": "m:f"})
    assert isinstance(after(failed(Kind.OUTPUT_FORMAT), step), GiveUp)


def test_a_declared_remedy_is_run_once_whatever_the_kind() -> None:
    step = run(remedies=(Remedy("login", kind=("auth",)), Remedy("pip install x")))
    assert changes(after(failed(Kind.AUTH), step)) == {"run": "login"}
    done = (Adjustment("remedy_run", {"run": "login"}),)
    assert isinstance(after(failed(Kind.AUTH), step, charged=2, adjustments=done), GiveUp)
    assert changes(after(failed(Kind.MISSING_DEPENDENCY), step)) == {"run": "pip install x"}


def test_the_next_model_is_taken_when_one_cannot_do_it() -> None:
    step = agent(spec={"model": ["a:x", "b:y"], "prompt": "p"})
    assert changes(after(failed(Kind.CONTEXT_OVERFLOW), step)) == {"model": "b:y"}
    assert changes(after(failed(Kind.AUTH), step)) == {"model": "b:y"}
    second = (Adjustment("next_model", {"model": "b:y"}),)
    assert isinstance(after(failed(Kind.AUTH), step, charged=2, adjustments=second), GiveUp)


def test_a_retry_with_its_own_timeout_gets_more_time() -> None:
    assert changes(after(failed(Kind.TIMEOUT), run(timeout_s=5))) == {"timeout_s": 10}
    assert changes(after(failed(Kind.TIMEOUT), run(timeout_s=50))) == {}


# --- bounds ---------------------------------------------------------------------------------------


def test_retries_are_bounded_per_task() -> None:
    task = TaskState("t", retries=MAX_RETRIES_PER_TASK)
    assert isinstance(after(failed(Kind.NETWORK), task=task), Park)


failures = st.builds(
    failed,
    st.sampled_from(list(Kind)),
    retry_after_s=st.none() | st.floats(0, 10_000),
    took_effect=st.booleans(),
)
rules = st.lists(
    st.builds(
        ErrorRule,
        st.sampled_from(["retry", "adjust", "fallback", "continue", "debug", "fail"]),
        kind=st.just(()) | st.sampled_from([(k,) for k in Kind]),
    ),
    max_size=2,
).map(tuple)
steps = st.builds(
    Step,
    id=st.just("s"),
    kind=st.sampled_from(["run", "http", "python", "agent"]),
    spec=st.just({"model": "a:x", "prompt": "p"}),
    retry=st.none() | st.builds(RetryPolicy, st.integers(1, 6), on=st.sampled_from([(), ("any",)])),
    on_error=rules,
    idempotent=st.booleans(),
    continue_on_error=st.booleans(),
    timeout_s=st.none() | st.just(5.0),
    stdin=st.none() | st.just("x"),
)


@given(failures, steps, st.integers(1, 8), st.booleans())
def test_no_decision_ever_breaks_a_bound(
    failure: Failure, step: Step, charged: int, debugger: bool
) -> None:
    decision = after(failure, step, charged=charged, debugger=debugger)
    if failure.kind is Kind.SECURITY and isinstance(decision, Retry):
        pytest.fail("security was tried again")
    if isinstance(decision, Debug):
        assert debugger
    if isinstance(decision, Retry):
        declared = step.retry.max_attempts if step.retry else 3
        assert charged < decision.of <= declared
        assert decision.at >= NOW
        assert decision.delay_s <= 600
        assert step.idempotent or not failure.took_effect
        if failure.retry_after_s is not None:
            assert decision.at >= NOW + failure.retry_after_s


@given(failures, steps, st.floats(0, 0.99))
def test_a_step_comes_to_an_end(failure: Failure, step: Step, draw: float) -> None:
    adjustments: tuple[Adjustment, ...] = ()
    for charged in range(1, 10):
        decision = after(failure, step, charged=charged, draw=draw, adjustments=adjustments)
        if not isinstance(decision, Retry):
            return
        adjustments += decision.adjustments
    pytest.fail("it would have gone on")

"""When a budget is used up, nearly used up, or can't be known."""

from agentrun.core.model import Budget
from agentrun.core.state import TaskState
from agentrun.recovery import budget


def test_nothing_is_used_up_without_a_budget() -> None:
    state = TaskState("t", usd=1e9, tokens=10**12, active_s=1e9)
    assert budget.used_up(Budget(), state, 0.0) is None


def test_money_tokens_and_time_each_end_a_task() -> None:
    state = TaskState("t", usd=5.0, tokens=2000, active_s=50.0, updated_at=100.0)
    assert budget.used_up(Budget(usd=5), state, 100) == "$5.00 of $5 spent"
    assert budget.used_up(Budget(tokens=2000), state, 100) == "2,000 of 2,000 tokens used"
    assert budget.used_up(Budget(time_s=60), state, 109.9) is None
    assert budget.used_up(Budget(time_s=60), state, 110) == "60 s of 60 s passed"


def test_time_counts_only_while_a_process_works() -> None:
    state = TaskState("t", status="paused", active_s=50.0, updated_at=100.0)
    assert budget.time_left_s(Budget(time_s=60), state, 10_000) == 10
    assert budget.time_left_s(Budget(), state, 10_000) is None


def test_there_is_a_warning_at_four_fifths() -> None:
    assert budget.near(Budget(usd=5), TaskState("t", usd=3.9), 0) is None
    assert budget.near(Budget(usd=5), TaskState("t", usd=4.0), 0) == "$4.00 of $5 spent"


def test_an_unknown_price_is_not_zero() -> None:
    state = TaskState("t", usd=0.5, usd_unknown=True, tokens=1234)
    warning = budget.unpriced(Budget(usd=5), state)
    assert warning is not None
    assert "no known price" in warning
    assert "1,234 tokens" in warning
    assert budget.unpriced(Budget(tokens=5), state) is None


def test_a_budget_of_zero_is_used_up_at_once() -> None:
    assert budget.used_up(Budget(usd=0), TaskState("t"), 0) is not None

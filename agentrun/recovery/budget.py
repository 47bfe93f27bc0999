"""What a task may use up: money, tokens, time; cumulative across resumes.

Owns the comparison of `budget:` with the state. Refuses to stop anything. An unknown price is not
zero: `unpriced` says when a money budget can't be kept for that reason.
"""

from collections.abc import Iterator

from agentrun.core.model import Budget
from agentrun.core.state import TaskState

NEAR = 0.8
"""From this share of a budget on there is a warning."""


def used_up(budget: Budget, state: TaskState, now: float) -> str | None:
    """Return which budget is used up, in words for people, or None."""
    return next((words for share, words in _shares(budget, state, now) if share >= 1), None)


def near(budget: Budget, state: TaskState, now: float) -> str | None:
    """Return which budget is nearly used up (or is), or None."""
    return next((words for share, words in _shares(budget, state, now) if share >= NEAR), None)


def unpriced(budget: Budget, state: TaskState) -> str | None:
    """Return a warning when money is limited and some of what was used has no known price."""
    if budget.usd is None or not state.usd_unknown:
        return None
    return (
        f"the budget of ${budget.usd:g} can't be kept for certain: some usage has no known price"
        f" (known so far: ${state.usd:.4g}, {state.tokens:,} tokens in all)"
    )


def time_left_s(budget: Budget, state: TaskState, now: float) -> float | None:
    """Return what is left of `budget.time`, at least 0; None where there is none."""
    return None if budget.time_s is None else max(0.0, budget.time_s - _active_s(state, now))


def _active_s(state: TaskState, now: float) -> float:
    """Return how long a process has worked on the task, the time since the last event included."""
    running = state.status == "running"
    return state.active_s + (max(0.0, now - state.updated_at) if running else 0.0)


def _shares(budget: Budget, state: TaskState, now: float) -> Iterator[tuple[float, str]]:
    if budget.usd is not None:
        yield _share(state.usd, budget.usd), f"${state.usd:.2f} of ${budget.usd:g} spent"
    if budget.tokens is not None:
        words = f"{state.tokens:,} of {budget.tokens:,} tokens used"
        yield _share(state.tokens, budget.tokens), words
    if budget.time_s is not None:
        spent = _active_s(state, now)
        yield _share(spent, budget.time_s), f"{spent:.0f} s of {budget.time_s:g} s passed"


def _share(used: float, most: float) -> float:
    return used / most if most > 0 else 1.0

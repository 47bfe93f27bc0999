"""When a breaker opens, what half-open means, when it closes."""

from hypothesis import given, strategies as st

from agentrun.core import breaker
from agentrun.core.breaker import CLOSED, Memory
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import BreakerPolicy

POLICY = BreakerPolicy(failures=3, window_s=60, cooldown_s=30)


def opened(at: float = 100.0) -> Memory:
    return breaker.fold(POLICY, [(at - 2, False), (at - 1, False), (at, False)])


def test_it_opens_after_so_many_failures_in_a_row_within_the_window() -> None:
    two = breaker.fold(POLICY, [(1, False), (2, False)])
    assert breaker.phase(two, POLICY, 2) == "closed"
    assert breaker.phase(breaker.after(two, POLICY, 3, ok=False), POLICY, 3) == "open"


def test_failures_that_lie_too_far_apart_do_not_open_it() -> None:
    memory = breaker.fold(POLICY, [(0, False), (50, False), (100, False), (150, False)])
    assert breaker.phase(memory, POLICY, 150) == "closed"


def test_a_success_between_shows_that_the_component_works() -> None:
    memory = breaker.fold(POLICY, [(1, False), (2, False), (3, True), (4, False), (5, False)])
    assert breaker.phase(memory, POLICY, 5) == "closed"


def test_it_is_half_open_when_the_cooldown_is_over() -> None:
    assert breaker.phase(opened(), POLICY, 129.9) == "open"
    assert breaker.phase(opened(), POLICY, 130) == "half_open"


def test_a_probe_that_works_closes_it() -> None:
    assert breaker.after(opened(), POLICY, 131, ok=True) == CLOSED


def test_a_probe_that_fails_opens_it_for_another_cooldown() -> None:
    memory = breaker.after(opened(), POLICY, 131, ok=False)
    assert breaker.phase(memory, POLICY, 160) == "open"
    assert breaker.phase(memory, POLICY, 161) == "half_open"


def test_calls_that_were_under_way_when_it_opened_change_nothing() -> None:
    for ok in (True, False):
        assert breaker.after(opened(), POLICY, 110, ok=ok) == opened()


def test_it_is_long_open_after_three_failed_probes() -> None:
    memory = breaker.fold(POLICY, [(1, False), (2, False), (3, False), (33, False), (63, False)])
    assert not breaker.long_open(memory)
    assert breaker.long_open(breaker.after(memory, POLICY, 93, ok=False))


def test_a_clock_that_was_set_back_never_makes_the_cooldown_longer() -> None:
    assert breaker.open_until(opened(at=1_000_000), POLICY, now=10) == 40


def failure(kind: Kind) -> Failure:
    return Failure(CATEGORY_OF[kind], kind, "")


def test_only_failures_of_the_component_itself_speak_against_it() -> None:
    against = {kind for kind in Kind if breaker.verdict(failure(kind)) is False}
    assert against == {Kind.NETWORK, Kind.TIMEOUT, Kind.OVERLOADED}


def test_an_answer_that_is_wrong_shows_that_the_component_answers() -> None:
    assert breaker.verdict(None) is True
    assert breaker.verdict(failure(Kind.OUTPUT_FORMAT)) is True
    assert breaker.verdict(failure(Kind.NOT_FOUND)) is True


def test_a_refused_key_says_nothing() -> None:
    assert breaker.verdict(failure(Kind.AUTH)) is None


outcomes = st.lists(st.tuples(st.floats(0, 1000), st.booleans()), max_size=60).map(sorted)


@given(outcomes)
def test_it_is_a_fold(history: list[tuple[float, bool]]) -> None:
    half = len(history) // 2
    memory = breaker.fold(POLICY, history[:half])
    for time, ok in history[half:]:
        memory = breaker.after(memory, POLICY, time, ok=ok)
    assert memory == breaker.fold(POLICY, history)


@given(outcomes, st.floats(0, 100))
def test_it_never_stays_open_longer_than_its_cooldown(
    history: list[tuple[float, bool]], later: float
) -> None:
    memory = breaker.fold(POLICY, history)
    now = later + max((time for time, _ok in history), default=0.0)
    if breaker.phase(memory, POLICY, now) == "open":
        assert breaker.phase(memory, POLICY, now + POLICY.cooldown_s) == "half_open"


@given(outcomes)
def test_it_remembers_less_than_it_takes_to_open(history: list[tuple[float, bool]]) -> None:
    assert len(breaker.fold(POLICY, history).failures) < POLICY.failures

"""What is counted from a journal, and that the document says the same."""

import re
from pathlib import Path

from agentrun.core import events as ev
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.outcome import Usage
from agentrun.core.value import NOTHING
from agentrun.recovery.metrics import Counts, Metric, count, metrics, total

HOLDER = ev.Holder(1, 1, 1, "h", "b")
START = ev.TaskStarted("w", "", "", "", NOTHING, HOLDER, 4, "", 1)
RESUMED = ev.TaskResumed(HOLDER, 4)


def counted(*events: tuple[float, ev.Event]) -> Counts:
    happened = [(0.0, START), *events]
    return count([ev.Recorded(n + 1, time, event) for n, (time, event) in enumerate(happened)])


def started(attempt: int = 1, step: str = "s") -> ev.Event:
    return ev.StepStarted(step, attempt)


def failed(
    kind: Kind = Kind.NETWORK, attempt: int = 1, step: str = "s", took: float = 0.0
) -> ev.Event:
    return ev.StepFailed(step, attempt, Failure(CATEGORY_OF[kind], kind, ""), took)


def again(attempt: int = 2, step: str = "s") -> ev.Event:
    return ev.RetryScheduled(step, attempt, 3, 0.0, 1.0, "")


def done(
    attempt: int = 1, step: str = "s", took: float = 0.0, usage: Usage | None = None
) -> ev.Event:
    return ev.StepSucceeded(step, attempt, duration_s=took, usage=usage)


def figure(counts: Counts, name: str) -> float | None:
    return next(metric.value for metric in metrics(counts) if metric.name == name)


def test_a_task_without_failures_has_no_recovery_to_speak_of() -> None:
    counts = counted((1, started()), (2, done()), (2, ev.TaskSucceeded(NOTHING)))
    assert counts.tasks_by_ending == {"succeeded": 1}
    assert figure(counts, "recovery success rate") is None
    assert figure(counts, "availability") == 100


def test_a_step_that_works_after_two_retries_is_one_recovery() -> None:
    counts = counted(
        (1, started()), (2, failed()), (2, again()),
        (3, started(2)), (4, failed(attempt=2)), (4, again(3)),
        (6, started(3)), (7, done(3)),
    )  # fmt: skip
    assert (counts.troubles, counts.recovered, counts.failures, counts.retries) == (1, 1, 2, 2)
    assert counts.recovery_s == [5]
    assert figure(counts, "retry success rate") == 100


def test_a_step_that_gives_up_after_retries_is_lost() -> None:
    counts = counted(
        (1, started()), (2, failed()), (2, again()), (3, started(2)), (4, failed(attempt=2)),
        (4, ev.StepGaveUp("s")),
    )  # fmt: skip
    assert (counts.recovered, counts.lost) == (0, 1)
    assert figure(counts, "recovery success rate") == 0
    assert figure(counts, "retry success rate") == 0
    assert figure(counts, "availability") == 0


def test_halting_on_a_fatal_failure_speaks_neither_for_nor_against_recovery() -> None:
    counts = counted((1, started()), (2, failed(Kind.AUTH)), (2, ev.StepGaveUp("s")))
    assert (counts.fatal, counts.lost) == (1, 0)
    assert figure(counts, "recovery success rate") is None


def test_a_parked_step_is_open_and_its_resume_no_intervention() -> None:
    parked = ((1, started()), (2, failed()), (2, ev.StepParked("s", "")))
    assert counted(*parked).open == 1
    resumed = ((9, RESUMED), (9, ev.AttemptsGranted(("s",))), (9, started(2)), (10, done(2)))
    counts = counted(*parked, *resumed)
    assert (counts.open, counts.recovered, counts.manual) == (0, 1, 0)


def test_a_resume_after_a_failure_is_an_intervention() -> None:
    counts = counted(
        (1, started()), (2, failed()), (2, ev.StepGaveUp("s")), (3, RESUMED),
        (3, ev.AttemptsGranted(("s",))), (3, started(2)), (4, done(2)),
    )  # fmt: skip
    assert (counts.manual, counts.recovered, counts.lost) == (1, 0, 0)
    assert figure(counts, "manual intervention rate") == 100


def test_a_question_to_a_person_is_an_intervention() -> None:
    counts = counted((1, started()), (2, ev.PersonAsked("s", "?", "interrupted")))
    assert counts.manual == 1


def test_time_beside_the_attempt_is_overhead_and_the_lag_of_a_failure_detection() -> None:
    counts = counted((1, started()), (2, failed(took=0.9)), (3, started(2)), (4, done(2, took=0.8)))
    assert round(counts.overhead_s, 6) == 0.3
    assert round(figure(counts, "checkpoint overhead") or 0, 6) == 15
    assert round(figure(counts, "detection time") or 0, 6) == 0.1


def test_a_for_each_is_its_items() -> None:
    counts = counted(
        (1, ev.StepExpanded("s", NOTHING, 2)),
        (1, started(step="s[0]")), (2, done(step="s[0]")),
        (2, started(step="s[1]")), (3, failed(step="s[1]")), (3, ev.StepGaveUp("s[1]")),
        (3, failed(step="s")), (3, ev.StepGaveUp("s")),
    )  # fmt: skip
    assert (counts.failures, counts.lost, counts.steps_ended, counts.steps_delivered) == (
        1,
        1,
        2,
        1,
    )
    assert counts.failures_by_step == {"s": 1}


def test_an_unknown_price_is_remembered() -> None:
    usage = Usage(10, 5, usd=None)
    counts = counted((1, started()), (2, done(usage=usage)))
    assert (counts.tokens, counts.usd, counts.usd_unknown) == (15, 0.0, True)


def test_what_single_turns_used_counts() -> None:
    turn = ev.TurnNoted("s", 1, NOTHING, Usage(10, 5, 1, 0.5))
    counts = counted((1, started()), (2, turn), (3, done()))
    assert (counts.tokens, counts.usd, counts.usd_unknown) == (15, 0.5, False)


def test_counts_add_up() -> None:
    one = counted((1, started()), (2, failed()), (2, ev.StepGaveUp("s")))
    both = total([one, one, Counts()])
    assert (both.tasks, both.lost, both.failures_by_kind) == (2, 2, {"network": 2})


def test_the_document_names_every_metric_with_its_target() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = dict(re.findall(r"^\| ([a-z ]+?) +\|[^|]*\| ([≥≤] [\d.]+ [%s])", text, re.MULTILINE))
    assert rows == {metric.name: _target(metric) for metric in metrics(Counts())}


def _target(metric: Metric) -> str:
    return f"{'≥' if metric.better == 'above' else '≤'} {metric.target:g} {metric.unit}"

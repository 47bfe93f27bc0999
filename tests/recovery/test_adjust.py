"""What is changed about a step after each kind of failure, and what that means for its attempt."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentrun.core.events import Adjustment
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import Alternative, Remedy, Step
from agentrun.core.state import StepState, TaskState
from agentrun.recovery.adjust.apply import adjusted
from agentrun.recovery.adjust.context_overflow import cut
from agentrun.recovery.adjust.input_format import cleaned
from agentrun.recovery.adjust.table import STRATEGIES, propose
from agentrun.recovery.fallback import way

TASK = TaskState("t", max_parallel=8)


def failed(kind: Kind, message: str = "it failed", **more: Any) -> Failure:
    return Failure(CATEGORY_OF[kind], kind, message, **more)


def change(failure: Failure, step: Step, **state: Any) -> dict[str, Any] | None:
    found = propose(step, StepState(charged=1, failure=failure, **state), failure, TASK)
    return None if found is None else dict(found.change)


def run(**more: Any) -> Step:
    return Step("s", "run", {"command": "x"}, **more)


def agent(**spec: Any) -> Step:
    return Step("s", "agent", {"cli": "claude", "prompt": "p"} | spec)


def test_a_command_finds_the_complaint_in_its_file() -> None:
    assert change(failed(Kind.OUTPUT_FORMAT, "no"), run()) == {"last_error": "no"}


def test_a_request_is_sent_past_all_caches_if_it_only_reads() -> None:
    reading = Step("s", "http", {"url": "u"})
    expected = {"spec": {"headers": {"Cache-Control": "no-cache"}}}
    assert change(failed(Kind.OUTPUT_FORMAT), reading) == expected
    writing = Step("s", "http", {"url": "u", "method": "POST"})
    assert change(failed(Kind.OUTPUT_FORMAT), writing) is None


def test_input_is_cleaned_once() -> None:
    step, failure = run(stdin="\ufeffx"), failed(Kind.INPUT_FORMAT)
    assert change(failure, step) == {"clean_input": True}
    done = (Adjustment("input_cleaned", {"clean_input": True}),)
    assert change(failure, step, adjustments=done) is None


def test_input_that_is_too_large_is_not_cleaned() -> None:
    failure = failed(Kind.INPUT_FORMAT, "Argument list too long: the command holds 200,000 bytes")
    assert change(failure, run(stdin="x")) is None


@pytest.mark.parametrize(
    ("message", "share"),
    [
        ("prompt is too long: 250000 tokens > 200000 maximum", 0.64),
        ("maximum context length is 8192 tokens. However, you requested 16,384 tokens", 0.4),
        ("the input is too long", 0.5),
        ("error 413 in request 99182736455", 0.5),
    ],
)
def test_a_prompt_is_cut_to_what_the_failure_says_fits(message: str, share: float) -> None:
    assert change(failed(Kind.CONTEXT_OVERFLOW, message), agent()) == {"input_share": share}


def test_a_prompt_is_cut_further_each_time() -> None:
    before = (Adjustment("input_cut", {"input_share": 0.5}),)
    failure = failed(Kind.CONTEXT_OVERFLOW)
    assert change(failure, agent(), adjustments=before) == {"input_share": 0.25}


def test_a_larger_model_is_preferred_to_less_input() -> None:
    step = agent(model=["small", "large"])
    assert change(failed(Kind.CONTEXT_OVERFLOW), step) == {"model": "large"}


def test_a_time_limit_doubles_up_to_eight_times_what_was_declared() -> None:
    step, limits = run(timeout_s=10), []
    made: tuple[Adjustment, ...] = ()
    for _ in range(5):
        now = float(made[-1].change["timeout_s"]) if made else 10.0
        state = StepState(adjustments=made, attempt_started_at=0.0, ended_at=now)
        found = propose(step, state, failed(Kind.TIMEOUT), TASK)
        if found is None:
            break
        limits.append(found.change["timeout_s"])
        made += (found,)
    assert limits == [20, 40, 80]


def test_a_timeout_of_the_server_changes_no_limit_of_ours() -> None:
    step = run(timeout_s=100)
    assert change(failed(Kind.TIMEOUT), step, attempt_started_at=0.0, ended_at=30.0) is None


def test_an_idle_timeout_doubles_as_well() -> None:
    failure = failed(Kind.TIMEOUT, "timed out: no output for 5 s")
    assert change(failure, run(idle_timeout_s=5)) == {"idle_timeout_s": 10}


def test_fewer_items_at_once_when_memory_is_short() -> None:
    step = run(for_each="${{ x }}")
    assert change(failed(Kind.OUT_OF_MEMORY), step) == {"max_parallel": 4}
    one = (Adjustment("concurrency_lowered", {"max_parallel": 1}),)
    assert change(failed(Kind.OUT_OF_MEMORY), step, adjustments=one) is None


def test_items_that_collide_run_one_by_one() -> None:
    assert change(failed(Kind.RESOURCE_CONFLICT), run(for_each=[1])) == {"max_parallel": 1}
    assert change(failed(Kind.RESOURCE_CONFLICT), run()) is None


def test_temporary_files_move_once_when_the_disk_is_full() -> None:
    assert change(failed(Kind.DISK_FULL), run()) == {"tmp_in_state": True}
    done = (Adjustment("temporary_files_moved", {"tmp_in_state": True}),)
    assert change(failed(Kind.DISK_FULL), run(), adjustments=done) is None
    assert change(failed(Kind.DISK_FULL), run(env={"TMPDIR": "/big"})) is None


def test_a_remedy_must_fit_kind_and_text() -> None:
    step = run(remedies=(Remedy("a", kind=("lock",), text="apt"), Remedy("b", text=r"dpkg \d")))
    assert change(failed(Kind.LOCK, "git index.lock"), step) is None
    assert change(failed(Kind.LOCK, "apt is busy"), step) == {"run": "a"}
    assert change(failed(Kind.UNKNOWN, "dpkg 7"), step) == {"run": "b"}


@given(st.sampled_from(list(STRATEGIES)))
def test_no_change_is_made_twice(kind: Kind) -> None:
    step = run(stdin="x", for_each=[1], remedies=(Remedy("cure", kind=(kind,)),), timeout_s=1.0)
    made: list[Adjustment] = []
    for charged in range(1, 12):
        state = StepState(charged=charged, adjustments=tuple(made))
        found = propose(step, state, failed(kind), TASK)
        if found is None:
            return
        fed_back = "last_error" in found.change
        assert fed_back or dict(found.change) not in [dict(before.change) for before in made]
        made.append(found)


# --- what it means --------------------------------------------------------------------------------


def test_later_changes_take_the_place_of_earlier_ones() -> None:
    made = [
        Adjustment("timeout_doubled", {"timeout_s": 20}),
        Adjustment("timeout_doubled", {"timeout_s": 40}),
        Adjustment("input_cut", {"input_share": 0.5}),
        Adjustment("next_model", {"model": "large"}),
    ]
    found = adjusted(Step("s", "agent", {"model": ["small", "large"]}, timeout_s=10), made)
    assert (found.step.timeout_s, found.input_share) == (40, 0.5)
    assert found.step.spec["model"] == "large"


def test_without_adjustments_a_list_of_models_means_the_first() -> None:
    assert adjusted(agent(model=["small", "large"]), ()).step.spec["model"] == "small"


def test_of_the_complaints_about_answers_only_the_newest_is_told() -> None:
    made = [
        Adjustment("validation_fed_back", {"prompt_addition": "first"}),
        Adjustment("fix", {"prompt_addition": "be brief"}),
        Adjustment("validation_fed_back", {"prompt_addition": "second"}),
    ]
    assert adjusted(agent(), made).prompt_additions == ("be brief", "second")


def test_maps_of_the_spec_are_merged_and_environments_too() -> None:
    step = Step("s", "http", {"url": "u", "headers": {"A": "1"}}, env={"X": "1"})
    made = [
        Adjustment("cache_bypassed", {"spec": {"headers": {"B": "2"}, "method": "GET"}}),
        Adjustment("fix", {"env": {"Y": 2}}),
    ]
    found = adjusted(step, made)
    assert found.step.spec == {"url": "u", "headers": {"A": "1", "B": "2"}, "method": "GET"}
    assert (found.step.env, found.env) == ({"X": "1", "Y": "2"}, {"Y": "2"})


def test_remedies_are_run_in_order_and_each_once() -> None:
    made = [Adjustment("remedy_run", {"run": name}) for name in ("a", "b", "a")]
    assert adjusted(run(), made).remedies == ("a", "b")


@given(st.text(max_size=3000), st.floats(0.01, 0.99))
def test_a_cut_text_is_never_longer_and_keeps_both_ends(text: str, share: float) -> None:
    shorter = cut(text, share)
    assert len(shorter) <= len(text) + 12
    keep = max(1, int(len(text) * share) // 3)
    assert shorter[:keep] == text[:keep]
    assert shorter[-keep:] == text[-keep:]


def test_what_is_no_text_is_not_cut() -> None:
    assert cut([1, 2, 3], 0.1) == [1, 2, 3]


def test_cleaning_takes_out_what_no_reader_wants_and_nothing_else() -> None:
    dirty = {"a\x00": ["\ufeffx\r\ny\rz\t\u00e9 \ud800", 7, None]}
    assert cleaned(dirty) == {"a": ["x\ny\nz\té ", 7, None]}


def test_an_alternative_keeps_everything_but_the_way() -> None:
    other = Alternative("http", {"url": "u"}, with_={"a": 1}, component="c")
    step = run(timeout_s=5, fallback=(other,))
    assert way(step, 0) is step
    taken = way(step, 1)
    assert (taken.kind, taken.spec, taken.component) == ("http", {"url": "u"}, "c")
    assert (taken.timeout_s, taken.id) == (5, "s")

"""What the simulation has found, each as small as it gets."""

from pathlib import Path
from random import Random

import pytest

from agentrun.app import resume_task, run_task
from agentrun.core import events as ev
from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import RetryPolicy, Step, Workflow
from agentrun.core.schedule import Attempt, Begin, Schedule
from agentrun.core.state import TaskState, replay
from agentrun.core.value import Inline
from agentrun.requests import ResumeRequest, RunRequest
from agentrun.store.manager import CheckpointManager
from tests.simulation.oracle import Oracle
from tests.simulation.plan import Plan, Script
from tests.simulation.process import Process, Trouble, World
from tests.store.faulty_disk import FaultySystem

HOLDER = ev.Holder(1, 1, 1, "host", "boot")
BROKEN = Failure(CATEGORY_OF[Kind.UNKNOWN], Kind.UNKNOWN, "broken")


def after(*events: ev.Event) -> TaskState:
    """Return the state after these events, a second apart."""
    started = ev.TaskStarted("demo", "0" * 64, "/w/demo.yaml", "/w", Inline({}), HOLDER, 4, "0", 2)
    records = [ev.Recorded(i, float(i), e) for i, e in enumerate((started, *events), 1)]
    return replay("t", records)


CANCELLED = (ev.TaskCancelled("enough"), ev.TaskResumed(HOLDER, 4))


def test_a_wait_goes_on_after_a_cancellation_where_it_was() -> None:
    state = after(ev.WaitStarted("a", 99.0), *CANCELLED, ev.AttemptsGranted(("a",)))
    step = state.step("a")
    assert (step.status, step.waiting, step.until) == ("waiting", "wait", 99.0)


@pytest.mark.parametrize("interrupted", [True, False])
def test_what_was_cut_off_by_a_cancellation_is_still_cut_off_after_it(*, interrupted: bool) -> None:
    """A step with `idempotent: false` is asked about then, instead of being repeated."""
    cut = [ev.StepInterrupted("a", 1, "cancelled")] if interrupted else []
    state = after(ev.StepStarted("a", 1), *cut, *CANCELLED, ev.AttemptsGranted(("a",)))
    assert (state.step("a").status, state.step("a").charged) == ("interrupted", 0)


def test_a_question_is_asked_again_after_a_cancellation() -> None:
    cut = (ev.StepInterrupted("a", 1, "died"), ev.PersonAsked("a", "has it?", "interrupted"))
    state = after(ev.StepStarted("a", 1), *cut, *CANCELLED, ev.AttemptsGranted(("a",)))
    assert (state.step("a").status, state.step("a").waiting) == ("waiting", "person")


def test_a_person_may_still_say_that_it_runs_again() -> None:
    granted = ev.AttemptsGranted(("a",))
    state = after(ev.StepStarted("a", 1), *CANCELLED, granted, granted)
    assert state.step("a").status == "pending"


def test_a_step_that_ran_in_spite_of_a_failure_waits_when_both_are_tried_again() -> None:
    """Both failed; a resume grants both new attempts, but the second still needs the first."""
    first = Step("a", "python", {})
    second = Step("b", "python", {}, needs=("a",), if_="always()")
    failures = [
        event
        for key in "ab"
        for event in (ev.StepStarted(key, 1), ev.StepFailed(key, 1, BROKEN), ev.StepGaveUp(key))
    ]
    state = after(*failures, ev.TaskResumed(HOLDER, 4), ev.AttemptsGranted(("a", "b")))
    schedule = Schedule(Workflow("demo", (first, second)), state)
    assert schedule.actions(20.0) == [Attempt("a")]
    state.step("a").status = "succeeded"
    schedule.follow(ev.StepSucceeded("a", 2))
    assert schedule.actions(20.0) == [Begin("b")]


def test_a_result_that_may_not_be_on_disk_is_put_there_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process died before the last sync, or the sync failed: `resume` could read that the task
    had succeeded, printed the result, and a power cut took it away.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    workflow = tmp_path / "workflow.yaml"
    workflow.write_text("steps:\n  - {id: a, run: echo done}\n")
    root = tmp_path / "checkpoints"
    done = run_task(RunRequest(workflow, root))
    assert CheckpointManager(root).read(done.task_id).certain
    mirror = root / done.task_id / "journal.mirror.jsonl"
    lines = mirror.read_bytes().splitlines(keepends=True)
    mirror.write_bytes(b"".join(lines[:-1]))
    assert not CheckpointManager(root).read(done.task_id).certain
    again = resume_task(ResumeRequest(done.task_id, root))
    assert (again.exit_code, again.outputs) == (0, done.outputs)
    assert CheckpointManager(root).read(done.task_id).certain


def run_plan(workflow: Workflow, scripts: dict[str, Script]) -> Oracle:
    """Run a workflow of one's own in peace, under the oracle's eyes."""
    plan = Plan(0, workflow, asks_about_failures=False, _scripts=scripts)
    oracle = Oracle(plan)
    Process(World(plan, oracle, FaultySystem()), Trouble(), Random(0)).run()
    return oracle


def failing(kind: Kind, takes_s: float = 0.0) -> Script:
    """Return a script that fails once, after so long."""
    failure = Failure(CATEGORY_OF[kind], kind, f"scripted {kind}")
    return Script((failure,), takes_s, notes=0, big=False)


def test_nothing_starts_in_the_turn_in_which_the_task_is_halted() -> None:
    again = RetryPolicy(max_attempts=3, delay_s=0.5, backoff="fixed", jitter=0.0)
    steps = (
        Step("breach", "python", {"target": "m:f"}),
        Step("flaky", "python", {"target": "m:f"}, retry=again),
    )
    scripts = {"breach": failing(Kind.SECURITY, 0.5), "flaky": failing(Kind.NETWORK)}
    oracle = run_plan(Workflow("demo", steps), scripts)
    assert sum(performed.key == "flaky" for performed in oracle.performed) == 1


def test_what_is_ready_beside_a_sub_workflow_that_is_tried_again_starts_once() -> None:
    again = RetryPolicy(max_attempts=3, delay_s=0.5, backoff="fixed", jitter=0.0)
    inner = Workflow("inner", (Step("x", "python", {"target": "m:f"}),))
    steps = (
        Step("sub", "workflow", {"path": "inner.yaml"}, retry=again),
        Step("long", "python", {"target": "m:f"}),
        Step("after", "python", {"target": "m:f"}, needs=("long",)),
    )
    workflow = Workflow("demo", steps, subworkflows={"inner.yaml": inner})
    scripts = {"sub/x": failing(Kind.UNKNOWN), "long": Script((), 0.5, notes=0, big=False)}
    scripts["after"] = Script((), 1.0, notes=0, big=False)
    oracle = run_plan(workflow, scripts)
    assert [performed.key for performed in oracle.performed].count("after") == 1

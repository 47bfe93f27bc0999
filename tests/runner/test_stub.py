"""Workflows tested without what they work with: stubs, recorded tasks, injected faults."""

from pathlib import Path
from typing import Any

import pytest

from agentrun.app import resume_task, run_task
from agentrun.core.failure import Kind
from agentrun.errors import UsageError
from agentrun.requests import Finished, ResumeRequest, RunRequest, StubRequest
from tests.runner.conftest import Desk

TRIAGE = """
    secrets: [A_KEY_THAT_IS_NOT_SET]
    limits: {claude: {concurrency: 1}}
    steps:
      - {id: issues, run: "echo real >> trace; exit 9", output: json}
      - id: label
        for_each: ${{ steps.issues.output }}
        as: issue
        agent: {cli: claude, prompt: "Label ${{ issue }}"}
        output: {label: {enum: [bug, docs]}}
        checks: ["${{ output.label != 'docs' or issue == 2 }}", "test -e made_by_the_agent"]
        retry: {max_attempts: 3, delay: 1ms}
      - {id: pause, wait: 2h}
      - {id: gate, approval: {message: Publish?, options: [ship, stop]}}
      - {id: sub, workflow: sub.yaml}
      - {id: last, run: 'echo "${{ steps.gate.output }} ${{ steps.sub.output }}"'}
"""
SUB = "steps: [{id: check, run: echo real >> trace; exit 9}, {id: end, run: echo end}]"


def run(desk: Desk, text: str, stubs: str | None = None, *inject: str) -> Finished:
    """Run a workflow with a stub file given as text."""
    source = None if stubs is None else str(desk.write("stubs.yaml", stubs))
    file = desk.write("workflow.yaml", text)
    return run_task(RunRequest(file, desk.root, stub=StubRequest(source, inject)))


@pytest.fixture
def real(desk: Desk) -> Path:
    """Return the file that real steps would write to."""
    desk.write("sub.yaml", SUB)
    return desk.folder / "trace"


GOOD = """
    issues: [1, 2]
    label: {output: {label: bug}}
    label[1]: {failure: 429, times: 2, output: {label: docs}}
    pause: null
    gate: ship
    sub/check: ""
"""


def test_a_workflow_runs_with_nothing_real(desk: Desk, real: Path) -> None:
    done = run(desk, TRIAGE, GOOD)
    assert (done.exit_code, done.outputs) == (0, "ship end")
    assert done.state.step("label[1]").attempts == 3
    assert not real.exists()
    assert done.state.warnings[0].startswith("stubbed: outputs from ")


@pytest.mark.parametrize(
    ("stubs", "kind"),
    [
        ("label[1]: {output: {label: rubbish}}", Kind.OUTPUT_FORMAT),
        ("label[0]: {output: {label: docs}}", Kind.LOGIC),
        ("label: {failure: auth}", Kind.AUTH),
        ("label: {failure: {status: 401, message: no key}}", Kind.AUTH),
        ("gate: {failure: timeout}", Kind.TIMEOUT),
        ("sub/check: {failure: {kind: crash, message: broke, exit_code: 139}}", Kind.CRASH),
    ],
)
def test_what_goes_wrong_is_what_would_go_wrong(
    desk: Desk, real: Path, stubs: str, kind: Kind
) -> None:
    lines = [
        line
        for line in GOOD.splitlines()
        if line.strip().partition(":")[0] != stubs.partition(":")[0]
    ]
    done = run(desk, TRIAGE, "\n".join([*lines, f"    {stubs}"]))
    assert done.exit_code == 1
    assert done.state.ending is not None
    assert done.state.ending.failure is not None
    assert done.state.ending.failure.kind is kind


def test_a_sub_workflow_may_be_stubbed_as_a_whole(desk: Desk, real: Path) -> None:
    done = run(desk, TRIAGE, GOOD.replace('sub/check: ""', "sub: whole"))
    assert done.outputs == "ship whole"
    assert done.state.step("sub").scope is None


def test_a_past_task_is_replayed(desk: Desk) -> None:
    desk.write(
        "sub.yaml", "steps: [{id: in, for_each: [1, 2], run: 'echo ${{ item }}; echo x >> trace'}]"
    )
    text = """
        steps:
          - {id: a, run: echo a; echo x >> trace, output: lines}
          - {id: sub, workflow: sub.yaml}
          - {id: gate, approval: Go?}
          - {id: last, run: 'echo "${{ steps.a.output[0] }} ${{ steps.sub.output[1] }} ${{ steps.gate.output }}"'}
    """
    first = desk.resume(run(desk, text), answers={"gate": "reject"})
    assert (desk.folder / "trace").read_text() == "x\nx\nx\n"
    file = desk.folder / "workflow.yaml"
    again = run_task(RunRequest(file, desk.root, stub=StubRequest(first.task_id)))
    assert (again.exit_code, again.outputs) == (0, "a 2 reject")
    assert (desk.folder / "trace").read_text() == "x\nx\nx\n"


@pytest.mark.parametrize(
    ("inject", "kind", "attempts", "exit_code"),
    [
        ("a=429x2", None, 3, 0),
        ("a=timeout", None, 2, 0),
        ("a=network", None, 2, 0),
        ("a=503x9", Kind.OVERLOADED, 3, 75),
        ("a=401", Kind.AUTH, 1, 1),
        ("a=logic", Kind.LOGIC, 1, 1),
    ],
)
def test_faults_are_injected_and_cured_or_not(
    desk: Desk, inject: str, kind: Kind | None, attempts: int, exit_code: int
) -> None:
    done = run(
        desk, "steps: [{id: a, run: echo ok, retry: {delay: 1ms, max_attempts: 3}}]", None, inject
    )
    step = done.state.step("a")
    assert (done.exit_code, step.attempts) == (exit_code, attempts)
    assert (step.failure.kind if step.failure else None) == kind


def test_a_fault_is_injected_into_each_item(desk: Desk) -> None:
    text = "steps: [{id: a, for_each: [1, 2], run: 'echo ${{ item }}', retry: {delay: 1ms}}]"
    done = run(desk, text, None, "a=timeout", "a[1]=networkx2")
    assert done.outputs == ["1", "2"]
    assert [done.state.step(f"a[{i}]").attempts for i in (0, 1)] == [2, 3]


def test_injected_faults_open_no_breaker(desk: Desk) -> None:
    text = "steps: [{id: a, run: echo ok, component: x, retry: {delay: 1ms, max_attempts: 9}}]"
    assert run(desk, text, None, "a=503x8").exit_code == 0


@pytest.mark.parametrize(
    ("stubs", "inject", "message"),
    [
        ("isues: 1", (), "did you mean issues?"),
        ("sub/chek: 1", (), "did you mean sub/check?"),
        ("gate: maybe", (), "one of: ship, stop"),
        ("label: {failure: rate_limits}", (), "did you mean rate_limit?"),
        ("label: {failure: 200}", (), "400 to 599"),
        ("label: {failure: auth, times: 2}", (), "output: ..."),
        ("[1, 2]", (), "label: {label: bug}"),
        (None, ("labels=429",), "did you mean label?"),
        (None, ("label=nonsense",), "an HTTP status, or one of"),
        (None, ("label",), "e.g. label=429x2"),
        (None, ("sub=429",), "inject into its steps: sub/..."),
        (None, ("gate=timeout",), "stub it instead"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    desk: Desk, real: Path, stubs: str | None, inject: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        run(desk, TRIAGE, stubs, *inject)
    assert message in refused.value.hint
    assert not real.exists()
    assert not desk.root.exists() or not [p for p in desk.root.iterdir() if p.name[0] != "."]


def test_no_such_file_and_no_such_task(desk: Desk) -> None:
    file = desk.write("workflow.yaml", "steps: [{id: a, run: echo real >> trace}]")
    with pytest.raises(UsageError, match="no such file, and"):
        run_task(RunRequest(file, desk.root, stub=StubRequest("nothing.yaml")))


def test_a_stubbed_task_does_not_go_on_for_real_by_accident(desk: Desk, real: Path) -> None:
    paused = run(desk, TRIAGE, GOOD.replace("gate: ship", ""))
    assert paused.exit_code == 3
    more: dict[str, Any] = {"answers": {"gate": "stop"}}
    with pytest.raises(UsageError, match="was run with stubs"):
        desk.resume(paused, **more)
    stubs = StubRequest(str(desk.folder / "stubs.yaml"))
    done = resume_task(ResumeRequest(paused.task_id, desk.root, stub=stubs, **more))
    assert done.outputs == "stop end"


def test_the_rest_may_be_done_for_real(desk: Desk) -> None:
    text = "steps: [{id: a, run: exit 9}, {id: gate, approval: Go?}, {id: b, run: echo real}]"
    paused = run(desk, text, "a: fine")
    done = desk.resume(paused, answers={"gate": "approve"}, stub=StubRequest("none"))
    assert (done.exit_code, done.outputs) == (0, "real")

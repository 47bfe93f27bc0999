"""What a person changes, and exactly what that makes stale; answers and cancellations from outside."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrun.app import plan_resume
from agentrun.core import events as ev
from agentrun.errors import UsageError
from agentrun.requests import Finished, ResumeRequest
from agentrun.runner.mailbox import Letter, Mailbox
from agentrun.steer import answer_task, cancel_task, fork_task
from agentrun.store.manager import CheckpointManager
from tests.runner.conftest import Desk
from tests.runner.test_language import lives

ROOT = Path(__file__).parents[2]


class Trace:
    """What ran since it was last asked: every step leaves its name in `trace`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "trace"
        self._seen = 0

    def new(self) -> list[str]:
        """Return the names that are new, sorted."""
        names = self._path.read_text().split() if self._path.exists() else []
        found, self._seen = sorted(names[self._seen :]), len(names)
        return found


@pytest.fixture
def trace(desk: Desk) -> Trace:
    return Trace(desk.folder)


SUB = """
    inputs: {who: {type: string, default: x}}
    steps:
      - {id: in1, needs: [], run: 'echo "$AGENTRUN_STEP" >> trace; echo 1'}
      - {id: in2, needs: [in1], run: 'echo "$AGENTRUN_STEP" >> trace; echo 2'}
      - {id: in3, needs: [], run: 'echo "$AGENTRUN_STEP" >> trace; echo ${{ inputs.who }}'}
    outputs: ${{ steps.in2.output }}
"""
WHOLE = """
    inputs: {who: {type: string, default: ann}, unused: {type: string, default: ""}}
    steps:
      - {id: a, needs: [], run: 'echo "$AGENTRUN_STEP" >> trace; echo ${{ inputs.who }}'}
      - {id: b, needs: [a], run: 'echo "$AGENTRUN_STEP" >> trace'}
      - {id: c, needs: [], run: 'echo "$AGENTRUN_STEP" >> trace'}
      - {id: each, needs: [c], for_each: [0, 1], run: 'echo "$AGENTRUN_STEP" >> trace'}
      - {id: sub, needs: [], workflow: sub.yaml}
      - {id: last, needs: [sub, each], run: 'echo "$AGENTRUN_STEP" >> trace; echo "${{ inputs.unused }}"'}
"""
IN_SUB = ["sub/in1", "sub/in2", "sub/in3"]


@pytest.fixture
def done(desk: Desk, trace: Trace) -> Finished:
    desk.write("sub.yaml", SUB)
    finished = desk.run(WHOLE)
    assert finished.exit_code == 0
    assert trace.new() == ["a", "b", "c", "each[0]", "each[1]", "last", *IN_SUB]
    return finished


@pytest.mark.parametrize(
    ("key", "again"),
    [
        ("a", ["a", "b"]),
        ("b", ["b"]),
        ("c", ["c", "each[0]", "each[1]", "last"]),
        ("each", ["each[0]", "each[1]", "last"]),
        ("each[1]", ["each[1]", "last"]),
        ("sub", ["last", *IN_SUB]),
        ("sub/in1", ["last", "sub/in1", "sub/in2"]),
        ("sub/in3", ["last", "sub/in3"]),
        ("last", ["last"]),
    ],
)
def test_from_runs_a_step_and_its_descendants_again_and_nothing_else(
    desk: Desk, trace: Trace, done: Finished, key: str, again: list[str]
) -> None:
    finished = desk.resume(done, from_step=key)
    assert (finished.exit_code, trace.new()) == (0, again)


@pytest.mark.parametrize(
    ("texts", "again"),
    [({"who": "bob"}, ["a", "b"]), ({"unused": "x"}, ["last"]), ({"who": "ann"}, [])],
)
def test_set_runs_the_users_of_an_input_again_and_nothing_else(
    desk: Desk, trace: Trace, done: Finished, texts: dict[str, str], again: list[str]
) -> None:
    assert desk.resume(done, set_inputs=texts).exit_code == 0
    assert trace.new() == again


def test_set_of_an_input_that_only_the_outputs_use_runs_nothing(desk: Desk, trace: Trace) -> None:
    done = desk.run("""
        inputs: {who: {type: string, default: ann}}
        steps: [{id: a, run: echo a >> trace}]
        outputs: hello ${{ inputs.who }}
    """)
    trace.new()
    assert desk.resume(done, set_inputs={"who": "bob"}).outputs == "hello bob"
    assert trace.new() == []


@pytest.mark.parametrize(
    "uses",
    [
        'env: {W: "${{ inputs.who }}"}\n        steps: [{id: a, run: echo $W | tee -a trace}]',
        'steps: [{id: a, run: echo x >> trace, if: inputs.who != "no"}]',
        "steps: [{id: a, run: cat >> trace, stdin: '${{ inputs }}'}]",
        "steps: [{id: a, run: echo x >> trace, checks: ['test -n \"${{ inputs.who }}\"']}]",
        "steps: [{id: a, for_each: ['${{ inputs.who }}'], run: 'echo ${{ item }} >> trace'}]",
        "steps: [{id: a, run: exit 1, fallback: [{run: 'echo ${{ inputs.who }} >> trace'}]}]",
    ],
)
def test_every_way_to_use_an_input_makes_the_step_stale(
    desk: Desk, trace: Trace, uses: str
) -> None:
    done = desk.run(f"""
        inputs: {{who: {{type: string, default: ann}}}}
        {uses}
    """)
    assert done.exit_code == 0
    assert trace.new()
    assert desk.resume(done, set_inputs={"who": "bob"}).exit_code == 0
    assert trace.new()


def edited(desk: Desk, done: Finished, old: str, new: str) -> Finished:
    """Resume with the workflow changed in one place."""
    text = (desk.folder / "workflow.yaml").read_text()
    assert text.count(old) == 1
    path = desk.write("edited.yaml", text.replace(old, new))
    return desk.resume(done, workflow=path)


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("id: c, needs: []", "id: c, needs: [], timeout: 1m", []),
        ("id: c, needs: []", "id: c, needs: [], env: {X: y}", ["c", "each[0]", "each[1]", "last"]),
        ("for_each: [0, 1]", "for_each: [0]", ["each[0]", "last"]),
        ("id: b, needs: [a]", "id: new, needs: [a]", ["new"]),
        ("{type: string, default: ann}", "{type: string, default: zoe}", []),
    ],
)
def test_another_definition_runs_what_has_changed_and_nothing_else(
    desk: Desk, trace: Trace, done: Finished, old: str, new: str, again: list[str]
) -> None:
    assert edited(desk, done, old, new).exit_code == 0
    assert trace.new() == again


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("echo 2", "echo 22", ["last", "sub/in2"]),
        ("outputs:", "# said in passing\noutputs:", []),
        ("steps.in2.output", "steps.in1.output", ["last"]),
        ("steps:", "steps:\n  - {id: in0, needs: [], run: echo in0 >> trace}", ["in0", "last"]),
        ("default: x", "default: z", ["last", *IN_SUB]),
    ],
)
def test_a_change_inside_a_sub_workflow_runs_that_and_nothing_else(
    desk: Desk, trace: Trace, done: Finished, old: str, new: str, again: list[str]
) -> None:
    text = (desk.folder / "sub.yaml").read_text()
    assert text.count(old) == 1
    desk.write("sub.yaml", text.replace(old, new))
    finished = desk.resume(done, workflow=desk.folder / "workflow.yaml")
    assert (finished.exit_code, trace.new()) == (0, again)


def test_another_definition_brings_defaults_of_new_inputs(desk: Desk, done: Finished) -> None:
    finished = edited(
        desk, done, "inputs: {who:", "inputs: {more: {type: string, default: m}, who:"
    )
    assert finished.exit_code == 0
    text = (desk.folder / "edited.yaml").read_text()
    path = desk.write("edited.yaml", text.replace("unused }}", "unused }}${{ inputs.more }}"))
    assert desk.resume(finished, workflow=path).outputs == "m"
    with pytest.raises(UsageError, match="`must` is missing"):
        edited(desk, done, "inputs: {who:", "inputs: {must: {type: string}, who:")


def test_keys_are_new_after_from_also_for_items_and_inside_sub_workflows(desk: Desk) -> None:
    desk.write("sub.yaml", "steps: [{id: in, run: 'echo $AGENTRUN_IDEMPOTENCY_KEY'}]")
    first = desk.run("""
        steps:
          - {id: each, for_each: [1], run: echo $AGENTRUN_IDEMPOTENCY_KEY}
          - {id: sub, workflow: sub.yaml}
        outputs: ["${{ steps.each.output[0] }}", "${{ steps.sub.output }}"]
    """)
    second = desk.resume(first, from_step="each")
    assert len({*first.outputs, *second.outputs}) == 4


def test_the_plan_says_what_is_reused_and_what_that_saves(
    desk: Desk, trace: Trace, done: Finished
) -> None:
    rows = plan_resume(ResumeRequest(done.task_id, desk.root, from_step="sub/in1"))
    assert {row.step: row.action for row in rows} == {
        "a": "reuse", "b": "reuse", "c": "reuse", "each": "reuse", "sub": "run", "last": "run",
    }  # fmt: skip
    assert all(row.seconds > 0 for row in rows if row.action == "reuse")
    assert next(row.why for row in rows if row.step == "sub") == "1 of its 3 steps are done"
    assert trace.new() == []


def test_a_fork_goes_on_from_any_event(desk: Desk, trace: Trace, done: Finished) -> None:
    from agentrun.app import resume_task

    view = CheckpointManager(desk.root).read(done.task_id)
    last = view.records[-1].seq
    for seq in range(1, last + 1):
        new_id = fork_task(desk.root, done.task_id, str(seq))
        finished = resume_task(ResumeRequest(new_id, desk.root))
        assert (finished.exit_code, finished.outputs) == (0, done.outputs)
        ran = set(trace.new())
        then = {k for k, s in view.state_at(seq).steps.items() if s.status == "succeeded"}
        assert not ran & then
        assert ran | then | {"each", "sub"} == {
            "each",
            "sub",
            "a",
            "b",
            "c",
            "each[0]",
            "each[1]",
            "last",
            *IN_SUB,
        }


def test_a_fork_from_before_an_edit_has_the_definition_of_then(
    desk: Desk, trace: Trace, done: Finished
) -> None:
    after = edited(desk, done, "id: b, needs: [a]", "id: new, needs: [a]")
    view = CheckpointManager(desk.root).read(after.task_id)
    seq = next(r.seq for r in view.records if isinstance(r.event, ev.TaskSucceeded))
    trace.new()
    from agentrun.app import resume_task

    new_id = fork_task(desk.root, done.task_id, str(seq - 1), {"who": "bob"})
    finished = resume_task(ResumeRequest(new_id, desk.root))
    assert [step.id for step in finished.workflow.steps] == ["a", "b", "c", "each", "sub", "last"]
    assert trace.new() == ["a", "b"]


# --- other processes --------------------------------------------------------------------------------


@pytest.fixture
def start(desk: Desk) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start `agentrun` in a process of its own, with nothing to read on stdin."""
    started = []

    def go(*args: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "agentrun", *args],
            cwd=desk.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def eventually(holds: Callable[[], Any], within_s: float = 60.0) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            if found := holds():
                return found
        time.sleep(0.02)
    raise AssertionError("it did not come about")


def state(desk: Desk, task: str) -> Any:
    return CheckpointManager(desk.root).read(task).state


ASKING = """
    steps:
      - {id: ok, needs: [], approval: {message: Go?, options: [ship, stop]}}
      - {id: busy, needs: [], run: "echo $$ > pid; while ! test -e enough; do sleep 0.05; done"}
      - {id: out, needs: [ok], run: 'echo "${{ steps.ok.output }}" | tee said; touch enough'}
      - {id: last, needs: [out, busy], run: cat said}
"""


def test_an_approval_is_answered_while_the_task_runs_elsewhere(
    desk: Desk, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    desk.write("asking.yaml", ASKING)
    process = start("run", "asking.yaml", "--task-id", "t")
    eventually(lambda: state(desk, "t").step("ok").waiting == "approval")
    eventually((desk.folder / "pid").exists)
    assert answer_task(desk.root, "t", None, "stop") == ("ok", True)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"stop\n")


def test_an_answer_left_as_a_file_is_read_by_the_next_resume(desk: Desk) -> None:
    paused = desk.run("steps: [{id: ok, approval: Go?}]")
    folder = desk.root / paused.task_id / "answers"
    folder.mkdir()
    (folder / "mine.json").write_text(json.dumps({"step": "ok", "answer": "reject"}))
    done = desk.resume(paused)
    assert (done.exit_code, done.outputs) == (0, "reject")
    assert list(folder.iterdir()) == []


def test_an_answer_to_what_was_asked_before_does_not_count(desk: Desk) -> None:
    paused = desk.run("""
        inputs: {what: {type: string, default: one}}
        steps: [{id: ok, approval: "Delete ${{ inputs.what }}?"}]
    """)
    asked = paused.state.step("ok").approval
    assert asked is not None
    Mailbox(desk.root / paused.task_id).post(Letter("ok", "approve", "me", asked.digest))
    other = fork_task(desk.root, paused.task_id, None, {"what": "everything"})
    from agentrun.app import resume_task

    again = resume_task(ResumeRequest(other, desk.root))
    Mailbox(desk.root / other).post(Letter("ok", "approve", "me", asked.digest))
    still = resume_task(ResumeRequest(again.task_id, desk.root))
    assert still.exit_code == 3
    assert any("asks something else by now" in warning for warning in still.state.warnings)


def test_cancel_from_another_process_ends_the_children(
    desk: Desk, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    desk.write("w.yaml", 'steps: [{id: a, run: "sleep 60 & echo $! > child; echo $$ > pid; wait"}]')
    process = start("run", "w.yaml", "--task-id", "t")
    eventually(lambda: (desk.folder / "pid").read_text().strip())
    assert cancel_task(desk.root, "t", "wrong one") == "t"
    assert state(desk, "t").status == "cancelled"
    process.communicate(timeout=60)
    assert process.returncode == 1
    for name in ("pid", "child"):
        assert not lives(int((desk.folder / name).read_text()))


def test_cancel_of_a_task_whose_process_dies_without_a_word(
    desk: Desk, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    desk.write("w.yaml", 'steps: [{id: a, run: "echo $$ > pid; sleep 60"}]')
    process = start("run", "w.yaml", "--task-id", "t")
    eventually(lambda: (desk.folder / "pid").read_text().strip())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cancel_task(desk.root, "t")
    assert state(desk, "t").status == "cancelled"
    assert not lives(int((desk.folder / "pid").read_text()))


def test_an_approval_in_a_pipeline_ends_at_once_with_3(
    desk: Desk, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    desk.write(
        "w.yaml", "steps: [{id: ok, approval: {message: Go?, timeout: 1h, default: reject}}]"
    )
    process = start("run", "w.yaml", "--task-id", "t")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, b"")
    assert b"agentrun approve t" in err
    assert answer_task(desk.root, "t", None, None) == ("ok", False)
    process = start("resume", "t")
    assert process.communicate(timeout=60)[0] == b"approve\n"


def test_an_approval_that_nobody_answers_in_time_takes_its_default(desk: Desk) -> None:
    paused = desk.run(
        "steps: [{id: ok, approval: {message: Go?, timeout: 1ms, default: reject}}, {id: b, run: 'true'}]"
    )
    assert paused.exit_code in {0, 3}
    done = desk.resume(paused)
    assert done.exit_code == 0
    assert CheckpointManager(desk.root).read(done.task_id).state.step("ok").status == "succeeded"


def test_an_approval_without_default_fails_when_its_time_is_over(desk: Desk) -> None:
    paused = desk.run("steps: [{id: ok, approval: {message: Go?, timeout: 1ms}}]")
    failed = paused if paused.exit_code == 1 else desk.resume(paused)
    assert failed.exit_code == 1
    assert failed.state.step("ok").failures == 1


# --- --retry, --skip, --answer ------------------------------------------------------------------------

BROKEN = """
    steps:
      - {id: first, needs: [], run: echo first >> trace}
      - {id: sub, needs: [], workflow: broken.yaml}
      - {id: each, needs: [], for_each: [0, 1, 2], run: 'echo "each${{ item }}" >> trace; test "${{ item }}" != 1 || test -e good; echo ok'}
      - {id: last, needs: [first, sub, each], run: 'echo last >> trace; echo "${{ steps.each.output }}"'}
"""
BROKEN_SUB = """
    steps:
      - {id: fine, run: echo fine >> trace}
      - {id: bad, run: "echo bad >> trace; test -e good"}
      - {id: after, run: echo after >> trace}
"""


@pytest.fixture
def broken(desk: Desk, trace: Trace) -> Finished:
    desk.write("broken.yaml", BROKEN_SUB)
    finished = desk.run(BROKEN)
    assert finished.exit_code == 1
    assert trace.new() == ["bad", "each0", "each1", "each2", "fine", "first"]
    return finished


def test_what_failed_is_tried_again_also_deep_inside(
    desk: Desk, trace: Trace, broken: Finished
) -> None:
    (desk.folder / "good").touch()
    assert desk.resume(broken).exit_code == 0
    assert trace.new() == ["after", "bad", "each1", "last"]


def test_skipping_a_step_inside_a_sub_workflow_and_an_item(
    desk: Desk, trace: Trace, broken: Finished
) -> None:
    done = desk.resume(broken, skip=("sub/bad", "each[1]"))
    assert done.exit_code == 0
    assert trace.new() == ["after", "last"]
    assert done.state.step("sub/bad").status == done.state.step("each[1]").status == "skipped"


def test_retry_of_a_step_that_has_succeeded_is_from(
    desk: Desk, trace: Trace, broken: Finished
) -> None:
    (desk.folder / "good").touch()
    done = desk.resume(broken)
    trace.new()
    assert desk.resume(done, retry=("sub/fine",)).exit_code == 0
    assert trace.new() == ["after", "bad", "fine", "last"]


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"from_step": "eech"}, "has no step 'eech'", "did you mean each?"),
        ({"from_step": "sub/bed"}, "has no step 'sub/bed'", "sub/bad"),
        ({"from_step": "each[3]"}, "has no step 'each[3]'", "each"),
        ({"skip": ("first",)}, "first has succeeded", "leave it out"),
        ({"answers": {"first": "yes"}}, "first waits for no answer", "no step"),
        ({"set_inputs": {"x": "1"}}, "there is no input `x`", "no inputs"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_runs(
    desk: Desk,
    trace: Trace,
    broken: Finished,
    changes: dict[str, Any],
    message: str,
    hint: str,
) -> None:
    with pytest.raises(UsageError) as refused:
        desk.resume(broken, **changes)
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert trace.new() == []


def test_the_plan_knows_what_the_reuse_is_worth(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: ask
            agent:
              cli:
                command: [bash, -c, 'echo "{\\"answer\\": \\"hi\\", \\"usd\\": 0.25, \\"in\\": 40, \\"out\\": 2}"']
                prompt: stdin
                result: answer
                cost: usd
                usage: {input_tokens: in, output_tokens: out}
              prompt: hello
          - {id: last, run: 'echo "${{ steps.ask.output }}"'}
    """)
    assert done.outputs == "hi"
    [ask, last] = plan_resume(ResumeRequest(done.task_id, desk.root, from_step="last"))
    assert (ask.action, ask.usd, ask.tokens) == ("reuse", 0.25, 42)
    assert last.action == "run"


def test_a_process_of_another_machine_is_written_to_and_no_pid_of_ours_is_hit(
    desk: Desk,
    start: Callable[..., "subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.write("w.yaml", 'steps: [{id: a, run: "echo $$ > pid; sleep 60"}]')
    process = start("run", "w.yaml", "--task-id", "t")
    eventually(lambda: (desk.folder / "pid").read_text().strip())
    monkeypatch.setattr("agentrun.steer._is_here", lambda _holder: False)
    monkeypatch.setattr("agentrun.steer.os.kill", lambda *_: pytest.fail("a signal was sent"))
    assert cancel_task(desk.root, "t") == "t"
    process.communicate(timeout=60)
    assert process.returncode == 1

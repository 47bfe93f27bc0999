"""Whatever a workflow uses: cut off after any event, it goes on to the same end.

The task is forked after each of its events, which is what a crash there leaves behind, and resumed.
No step that had succeeded by then runs again.
"""

from pathlib import Path

import pytest

from agentrun.app import resume_task
from agentrun.core import events as ev
from agentrun.requests import ResumeRequest
from agentrun.steer import fork_task
from agentrun.store.manager import CheckpointManager
from tests.runner.conftest import Desk

MARK = 'echo "$AGENTRUN_TASK_ID $AGENTRUN_STEP $AGENTRUN_IDEMPOTENCY_KEY" >> trace; '
ONCE = 'test -e "$AGENTRUN_STATE_DIR/x" || { touch "$AGENTRUN_STATE_DIR/x"; exit 9; }; '

SUB = f"""
    inputs: {{n: {{type: integer, default: 0}}}}
    steps:
      - {{id: one, needs: [], run: '{MARK}echo 1'}}
      - {{id: two, needs: [], run: '{MARK}echo "${{{{ inputs.n }}}}"', output: json}}
      - {{id: three, run: '{MARK}{ONCE}echo 3', retry: {{max_attempts: 3, delay: 1ms, on: [any]}}}}
    outputs: {{n: "${{{{ steps.two.output }}}}"}}
"""
NEVER = f"steps: [{{id: one, run: '{MARK}echo 1'}}, {{id: bad, run: '{MARK}exit 9'}}]"
SLOW = f"steps: [{{id: one, run: '{MARK}echo 1'}}, {{id: slow, run: '{MARK}sleep 30'}}]"

WORKFLOWS = {
    "items of sub-workflows": (
        "steps: [{id: each, for_each: [1, 2], workflow: sub.yaml, with: {n: '${{ item }}'}}]",
        [{"n": 1}, {"n": 2}],
    ),
    "rounds of a sub-workflow, judged": (
        """
        steps:
          - id: sub
            workflow: sub.yaml
            output: {n: integer}
            checks: ["true", "${{ output.n == 0 }}"]
            until: attempt.number >= 2
        outputs: ${{ steps.sub.output.n }}
        """,
        0,
    ),
    "a sub-workflow that fails and has another way": (
        f"steps: [{{id: sub, workflow: never.yaml, fallback: [{{run: '{MARK}echo other'}}]}}]",
        "other",
    ),
    "a sub-workflow tried twice that may fail": (
        """
        steps:
          - id: sub
            workflow: never.yaml
            retry: {max_attempts: 2, delay: 1ms, on: [any]}
            continue_on_error: true
          - {id: last, run: 'echo "${{ steps.sub.status }}"'}
        """,
        "failed",
    ),
    "a sub-workflow out of time": (
        f"""
        steps:
          - {{id: sub, workflow: slow.yaml, timeout: 400ms, fallback: [{{run: '{MARK}echo late'}}]}}
        """,
        "late",
    ),
    "conditions, a wait, a default answer": (
        f"""
        steps:
          - {{id: never, if: "false", run: exit 1}}
          - {{id: rest, wait: 10ms}}
          - {{id: bad, run: exit 9, continue_on_error: true}}
          - {{id: always, if: always(), run: '{MARK}echo "${{{{ steps.bad.status }}}}"'}}
        """,
        "failed",
    ),
}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_task_cut_off_anywhere_ends_as_it_would_have(desk: Desk, name: str) -> None:
    desk.write("sub.yaml", SUB)
    desk.write("never.yaml", NEVER)
    desk.write("slow.yaml", SLOW)
    text, outputs = WORKFLOWS[name]
    done = desk.run(text)
    assert (done.exit_code, done.outputs) == (0, outputs)
    view = CheckpointManager(desk.root).read(done.task_id)
    for record in view.records:
        forked = fork_task(desk.root, done.task_id, str(record.seq))
        then = view.state_at(record.seq)
        again = resume_task(ResumeRequest(forked, desk.root))
        where = f"{record.seq} {type(record.event).__name__} {getattr(record.event, 'step', '')}"
        assert (again.exit_code, again.outputs) == (0, outputs), where
        ran = set(traced(desk.folder, forked))
        for key, step in then.steps.items():
            if step.status == "succeeded" and not rounds_after(view.records[record.seq :], key):
                assert key not in ran, f"{key} ran again after {where}"


def traced(folder: Path, task_id: str) -> list[str]:
    """Return the addresses of the steps that ran in a task."""
    lines = [line.split() for line in (folder / "trace").read_text().splitlines()]
    return [line[1] for line in lines if line[0] == task_id]


def rounds_after(rest: list[ev.Recorded], key: str) -> bool:
    """Return whether another round of a sub-workflow that holds the step began later."""
    finished = [r.event for r in rest if isinstance(r.event, ev.RoundFinished)]
    return any(key.startswith(f"{event.step}/") for event in finished)

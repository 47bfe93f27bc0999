"""Keys and kinds together: sub-workflows, items, rounds, retries and fallbacks in one another."""

from collections.abc import Callable

import pytest

from agentrun.core.failure import Kind
from agentrun.workflow.problems import InvalidWorkflow
from tests.runner.conftest import Desk
from tests.runner.test_language import lives

Count = Callable[[str], int]
QUICK = "retry: {max_attempts: 3, delay: 10ms, on: [any]}"


def test_items_that_are_sub_workflows_that_repeat_a_step(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        """
        inputs: {who: {type: string}}
        steps:
          - id: grow
            run: echo x >> "n_${{ inputs.who }}"; wc -l < "n_${{ inputs.who }}" | tr -d ' '
            until: output == '3'
          - {id: said, run: 'echo "${{ inputs.who }}: ${{ steps.grow.output }}"'}
        """,
    )
    done = desk.run("""
        steps:
          - {id: each, for_each: [ann, bob], workflow: sub.yaml, with: {who: "${{ item }}"}}
    """)
    assert done.outputs == ["ann: 3", "bob: 3"]
    assert done.state.step("each[0]/grow").round == 3


def test_loops_within_loops(desk: Desk, count: Count) -> None:
    desk.write(
        "row.yaml",
        """
        inputs: {row: {type: array}}
        steps:
          - id: cells
            for_each: ${{ inputs.row }}
            run: |
              echo x >> trace
              test "${{ item }}" != 4 || test -e good
              echo "${{ item }}${{ index }}"
        """,
    )
    failed = desk.run("""
        steps:
          - {id: rows, for_each: [[1, 2], [3, 4]], as: row, workflow: row.yaml, with: {row: "${{ row }}"}}
    """)
    assert failed.exit_code == 1
    assert failed.state.ending is not None
    assert failed.state.ending.step == "rows[1]/cells[1]"
    (desk.folder / "good").touch()
    done = desk.resume(failed)
    assert done.outputs == [["10", "21"], ["30", "41"]]
    assert count("trace") == 5


def test_a_sub_workflow_repeated_by_until_starts_over_each_time(desk: Desk, count: Count) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - {id: key, run: 'echo "$AGENTRUN_IDEMPOTENCY_KEY" >> keys; wc -l < keys | tr -d " "'}
        """,
    )
    done = desk.run("steps: [{id: sub, workflow: sub.yaml, until: output == '3', max_rounds: 5}]")
    assert (done.exit_code, done.outputs) == (0, "3")
    assert len(set((desk.folder / "keys").read_text().split())) == 3


def test_a_sub_workflow_tried_again_keeps_what_is_done(desk: Desk, count: Count) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - {id: one, run: echo x >> ones}
          - {id: two, run: 'echo x >> twos; test "$(wc -l < twos)" -ge 3; echo fine'}
        """,
    )
    done = desk.run(f"steps: [{{id: sub, workflow: sub.yaml, {QUICK}}}]")
    assert (done.exit_code, done.outputs) == (0, "fine")
    assert (count("ones"), count("twos")) == (1, 3)
    assert done.state.step("sub").attempts == 3


def test_a_sub_workflow_has_no_more_attempts_than_it_says(desk: Desk, count: Count) -> None:
    desk.write("sub.yaml", "steps: [{id: in, run: echo x >> tries; exit 9}]")
    done = desk.run(f"steps: [{{id: sub, workflow: sub.yaml, {QUICK}}}]")
    assert (done.exit_code, count("tries")) == (1, 3)
    again = desk.resume(done)
    assert (again.exit_code, count("tries")) == (1, 6)


def test_without_retry_a_sub_workflow_is_not_tried_again(desk: Desk, count: Count) -> None:
    desk.write("sub.yaml", "steps: [{id: in, run: 'echo x >> tries; echo no json', output: json}]")
    done = desk.run("steps: [{id: sub, workflow: sub.yaml}]")
    assert (done.exit_code, count("tries"), done.state.step("sub").attempts) == (1, 2, 1)


def test_a_timeout_ends_all_that_runs_in_a_sub_workflow(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - {id: quick, needs: [], run: echo x >> quick}
          - {id: slow, needs: [], run: "test -e good || { sleep 60 & echo $! > child; wait; }"}
          - {id: later, run: echo later >> trace}
        """,
    )
    done = desk.run("""
        steps:
          - {id: sub, workflow: sub.yaml, timeout: 2s}
          - {id: last, run: cat trace quick}
    """)
    failure = done.state.step("sub").failure
    assert failure is not None
    assert (failure.kind, done.exit_code) == (Kind.TIMEOUT, 75)
    assert "limit of 2 s" in failure.message
    assert not lives(int((desk.folder / "child").read_text()))
    assert done.state.step("sub/slow").status == "cancelled"
    assert not (desk.folder / "trace").exists()
    (desk.folder / "good").touch()
    again = desk.resume(done)
    assert (again.exit_code, again.outputs) == (0, "later\nx")


def test_a_sub_workflow_out_of_time_is_tried_again_only_when_all_of_it_has_ended(
    desk: Desk,
) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - id: slow
            run: |
              trap 'sleep 0.3 || true; echo ended >> trace; exit 1' TERM
              echo began >> trace
              test "$(grep -c began trace)" -lt 2 || exit 0
              sleep 30 & wait
        """,
    )
    done = desk.run(f"steps: [{{id: sub, workflow: sub.yaml, timeout: 2s, {QUICK}}}]")
    assert done.exit_code == 0
    assert (desk.folder / "trace").read_text() == "began\nended\nbegan\n"
    assert done.state.step("sub").attempts == 2


def test_a_deadline_of_a_sub_workflow_holds_no_process_while_a_person_is_asked(desk: Desk) -> None:
    desk.write("sub.yaml", "steps: [{id: ok, approval: Go?}]")
    paused = desk.run("steps: [{id: sub, workflow: sub.yaml, timeout: 1h}]")
    assert paused.exit_code == 3
    done = desk.resume(paused, answers={"sub/ok": "approve"})
    assert (done.exit_code, done.outputs) == (0, "approve")


def test_a_fallback_stands_in_for_a_sub_workflow(desk: Desk) -> None:
    desk.write("sub.yaml", "steps: [{id: in, run: exit 9}]")
    done = desk.run("""
        steps:
          - {id: sub, workflow: sub.yaml, fallback: [{run: exit 8}, {run: echo third}]}
    """)
    assert (done.exit_code, done.outputs) == (0, "third")


def test_a_fallback_of_an_agent_to_a_command(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: ask
            agent: {cli: {command: [bash, -c, exit 9], format: text, prompt: stdin}, prompt: hello}
            output: {label: {enum: [bug, feature]}}
            checks: ["${{ output.label == 'bug' }}"]
            fallback:
              - run: 'echo "{\\"label\\": \\"bug\\"}"'
    """)
    assert (done.exit_code, done.outputs) == (0, {"label": "bug"})


@pytest.mark.parametrize(
    "way_out", ["continue_on_error: true", "fallback: [{run: echo other}]", QUICK]
)
def test_a_lasting_trouble_inside_does_not_park_what_knows_an_answer(
    desk: Desk, way_out: str
) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - id: net
            run: |
              echo x >> tries; test "$(wc -l < tries)" -lt 3 || exit 0
              echo "curl: (7) Failed to connect to x port 80: Connection refused" >&2; exit 7
            retry: {max_attempts: 2, delay: 10ms}
        """,
    )
    done = desk.run(f"""
        steps:
          - {{id: sub, workflow: sub.yaml, {way_out}}}
          - {{id: last, run: echo done}}
    """)
    assert (done.exit_code, done.outputs) == (0, "done")


def test_failed_items_that_are_sub_workflows_are_null(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        """
        inputs: {n: {type: integer}}
        steps: [{id: in, run: 'test "${{ inputs.n }}" != 2; echo "${{ inputs.n }}"'}]
        """,
    )
    done = desk.run("""
        steps:
          - id: each
            for_each: [1, 2, 3]
            workflow: sub.yaml
            with: {n: "${{ item }}"}
            continue_on_error: true
    """)
    assert (done.exit_code, done.outputs) == (0, ["1", None, "3"])


def test_what_a_sub_workflow_brings_is_judged(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        "{steps: [{id: in, run: 'echo 41', output: json}], outputs: {n: '${{ steps.in.output }}'}}",
    )
    bad = desk.run("steps: [{id: sub, workflow: sub.yaml, output: {n: string}}]")
    failure = bad.state.step("sub").failure
    assert failure is not None
    assert failure.kind is Kind.OUTPUT_FORMAT
    good = desk.run("""
        steps:
          - id: sub
            workflow: sub.yaml
            output: {n: integer}
            checks: ["${{ output.n == 41 }}", 'test "${{ output.n }}" = 41']
            env: {UNUSED: "1"}
    """)
    assert (good.exit_code, good.outputs) == (0, {"n": 41})


def test_env_and_cwd_of_a_sub_workflow_reach_its_steps_and_no_value_is_rendered_twice(
    desk: Desk,
) -> None:
    (desk.folder / "a" / "b").mkdir(parents=True)
    desk.write("inner.yaml", 'steps: [{id: in, run: "echo \\"$A $B $(basename $PWD)\\"", cwd: b}]')
    desk.write(
        "outer.yaml",
        "{env: {B: file}, steps: [{id: in, workflow: inner.yaml, env: {B: step}}]}",
    )
    done = desk.run(
        """
        inputs: {v: {type: string}}
        steps: [{id: sub, workflow: outer.yaml, env: {A: "${{ inputs.v }}"}, cwd: a}]
        """,
        {"v": "${{ task.id }}"},
    )
    assert done.outputs == "${{ task.id }} step b"


def test_a_list_that_is_none_fails_once_whatever_retry_says(desk: Desk) -> None:
    done = desk.run(f"""
        steps:
          - {{id: a, run: echo no}}
          - {{id: each, for_each: "${{{{ steps.a.output }}}}", run: echo never >> trace, {QUICK}}}
    """)
    assert done.exit_code == 1
    assert not (desk.folder / "trace").exists()


def test_an_if_that_can_not_be_asked_fails_the_step_without_running_it(desk: Desk) -> None:
    done = desk.run(f"""
        steps:
          - {{id: a, run: echo no}}
          - {{id: b, if: steps.a.output.x == 1, run: echo never >> trace, {QUICK}}}
    """)
    assert done.exit_code == 1
    assert not (desk.folder / "trace").exists()


def test_inputs_that_do_not_fit_a_sub_workflow(desk: Desk) -> None:
    desk.write(
        "sub.yaml", "{inputs: {n: {type: integer}}, steps: [{id: in, run: 'echo ${{ inputs.n }}'}]}"
    )
    done = desk.run("""
        steps:
          - {id: a, run: echo text}
          - {id: sub, workflow: sub.yaml, with: {n: "${{ steps.a.output }}"}}
    """)
    failure = done.state.step("sub").failure
    assert failure is not None
    assert "`n` must be an integer" in failure.message


def test_a_workflow_that_leads_back_to_itself_is_refused(desk: Desk) -> None:
    desk.write("a.yaml", "steps: [{id: in, workflow: b.yaml}]")
    desk.write("b.yaml", "steps: [{id: in, workflow: a.yaml}]")
    with pytest.raises(InvalidWorkflow, match=r"leads back to itself: a.yaml → b.yaml → a.yaml"):
        desk.run("steps: [{id: sub, workflow: a.yaml}]")


def test_always_and_failed_hold_inside_a_sub_workflow(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - {id: bad, run: exit 9}
          - {id: tidy, if: always(), run: echo tidy >> trace}
          - {id: told, if: failed('bad'), run: echo told >> trace}
        """,
    )
    done = desk.run("""
        steps:
          - {id: sub, workflow: sub.yaml}
          - {id: never, run: echo never >> trace}
          - {id: after, if: failed('sub'), run: echo after >> trace}
    """)
    assert done.exit_code == 1
    assert (desk.folder / "trace").read_text() == "tidy\ntold\nafter\n"


def test_every_item_may_ask_a_person(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        """
        inputs: {what: {type: string}}
        steps:
          - {id: ok, approval: {message: "Delete ${{ inputs.what }}?", options: [yes, no]}}
        """.replace("[yes, no]", "['yes', 'no']"),
    )
    paused = desk.run("""
        steps:
          - {id: each, for_each: [a, b], workflow: sub.yaml, with: {what: "${{ item }}"}}
    """)
    assert paused.exit_code == 3
    half = desk.resume(paused, answers={"each[0]/ok": "yes"})
    assert half.exit_code == 3
    done = desk.resume(half, answers={"each[1]/ok": "no"})
    assert done.outputs == ["yes", "no"]


def test_waits_of_items_run_at_the_same_time(desk: Desk) -> None:
    done = desk.run("steps: [{id: each, for_each: [1, 2, 3], wait: 700ms}]")
    took = done.state.updated_at - done.state.started_at
    assert done.exit_code == 0
    assert took < 1.9


def test_a_skipped_sub_workflow_leaves_nothing_waiting(desk: Desk) -> None:
    desk.write("sub.yaml", "steps: [{id: ok, approval: Go?}, {id: out, run: echo x >> trace}]")
    paused = desk.run("steps: [{id: sub, workflow: sub.yaml}, {id: last, run: echo end}]")
    done = desk.resume(paused, skip=("sub",))
    assert (done.exit_code, done.outputs) == (0, "end")
    assert not (desk.folder / "trace").exists()


def test_a_retry_of_one_sub_workflow_does_not_start_others_twice(desk: Desk, count: Count) -> None:
    desk.write(
        "sub.yaml",
        """
        inputs: {n: {type: integer}}
        steps:
          - {id: a, needs: [], run: 'echo x >> trace; test -e "m${{ inputs.n }}" || { touch "m${{ inputs.n }}"; exit 9; }'}
          - {id: b, needs: [], run: echo x >> other}
        """,
    )
    done = desk.run("""
        steps:
          - id: each
            for_each: [1, 2, 3, 4, 5, 6]
            workflow: sub.yaml
            with: {n: "${{ item }}"}
            retry: {max_attempts: 2, delay: 0, jitter: 0, on: [any]}
    """)
    assert done.exit_code == 0
    assert (count("trace"), count("other")) == (12, 6)


@pytest.mark.parametrize(
    "kind", ["run: 'echo x >> trace; wc -l < trace | tr -dc 0-9'", "workflow: sub.yaml"]
)
def test_a_resume_grants_a_fresh_set_of_rounds(kind: str, desk: Desk, count: Count) -> None:
    desk.write("sub.yaml", "steps: [{id: s, run: \"echo x >> trace; wc -l < trace | tr -d ' '\"}]")
    step = f"steps: [{{id: a, {kind}, until: output == '5', max_rounds: 2}}]"
    failed = desk.run(step)
    assert (failed.exit_code, count("trace")) == (1, 2)
    again = desk.resume(failed)
    assert (again.exit_code, count("trace")) == (1, 4)
    assert again.state.step("a").round == 4
    done = desk.resume(again)
    assert (done.outputs, count("trace")) == ("5", 5)


def test_a_retry_of_a_sub_workflow_that_is_out_of_rounds_is_another_round(
    desk: Desk, count: Count
) -> None:
    desk.write("sub.yaml", "steps: [{id: s, run: \"echo x >> trace; wc -l < trace | tr -d ' '\"}]")
    done = desk.run(
        f"steps: [{{id: a, workflow: sub.yaml, until: output == '3', max_rounds: 2, {QUICK}}}]"
    )
    assert (done.outputs, count("trace")) == ("3", 3)


def test_items_that_were_not_started_are_told_of_and_are_no_success(desk: Desk) -> None:
    """A wrong key is wrong for every item: none is started after it, and it is said so."""
    done = desk.run("""
        steps:
          - id: each
            for_each: [a, b, c, d]
            max_parallel: 1
            continue_on_error: true
            run: |
              test ${{ item }} = a || { echo "HTTP 401 Unauthorized: invalid api key" >&2; exit 1; }
              echo fine
    """)
    each = done.state.step("each")
    assert (done.exit_code, done.outputs, each.status) == (0, ["fine", None, None, None], "failed")
    assert each.failure is not None
    assert each.failure.message.startswith("1 of 4 items failed, 2 not started; each[1]: ")

"""What each key of the language does, seen from outside: run it and look at the result."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentrun.core.failure import Kind
from tests.runner.conftest import Desk


def lives(pid: int) -> bool:
    """Return whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_steps_run_in_the_order_of_the_file_and_the_last_output_is_the_result(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: a, run: echo 1 >> trace}
          - {id: b, run: "echo 2 >> trace; cat trace"}
    """)
    assert (done.exit_code, done.outputs) == (0, "1\n2")


def test_outputs_name_what_the_result_is_and_keep_types(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: a, run: 'echo "[1, 2]"', output: json}
        outputs: {numbers: "${{ steps.a.output }}", text: "n=${{ steps.a.output[1] }}"}
    """)
    assert done.outputs == {"numbers": [1, 2], "text": "n=2"}


def test_a_false_if_skips_and_what_follows_goes_on_with_null(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: a, if: "1 > 2", run: exit 1}
          - {id: b, run: 'echo "[${{ steps.a.output }}]"'}
    """)
    assert done.outputs == "[]"
    assert done.state.step("a").status == "skipped"


def test_a_step_whose_need_failed_is_blocked_and_always_runs_all_the_same(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: a, run: exit 9}
          - {id: b, run: echo never >> trace}
          - {id: cleanup, if: always(), run: echo cleaned >> trace}
          - {id: told, if: failed('a'), run: echo told >> trace}
    """)
    assert done.exit_code == 1
    assert done.state.step("b").status == "blocked"
    assert (desk.folder / "trace").read_text() == "cleaned\ntold\n"


def test_continue_on_error_lets_the_task_succeed_with_the_step_failed(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: a, run: exit 9, continue_on_error: true}
          - {id: b, run: 'echo "${{ steps.a.status }}"'}
    """)
    assert (done.exit_code, done.outputs) == (0, "failed")


def test_for_each_gives_the_outputs_in_the_order_of_the_items(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: each
            for_each: [3, 1, 2]
            as: n
            run: sleep 0.0${{ n }}; echo "${{ index }}:${{ n }}:${{ item }}"
    """)
    assert done.outputs == ["0:3:3", "1:1:1", "2:2:2"]


def test_for_each_over_nothing_is_an_empty_list(desk: Desk) -> None:
    assert desk.run("steps: [{id: a, for_each: [], run: exit 1}]").outputs == []


def test_an_if_that_asks_about_the_item_is_asked_for_each(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: each, for_each: [1, 2, 3], if: item != 2, run: "echo ${{ item }}"}
    """)
    assert done.outputs == ["1", None, "3"]


def test_only_items_that_did_not_finish_run_again(desk: Desk, count: Callable[[str], int]) -> None:
    text = """
        steps:
          - id: each
            for_each: [a, b, c]
            run: |
              echo "${{ item }}" >> trace
              test "${{ item }}" != b || test -e now_good
              echo "${{ item }}"
    """
    failed = desk.run(text)
    assert failed.exit_code == 1
    (desk.folder / "now_good").touch()
    done = desk.resume(failed)
    assert (done.exit_code, done.outputs) == (0, ["a", "b", "c"])
    assert count("trace") == 4


def test_a_for_each_that_may_fail_gives_null_for_the_items_that_did(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: each
            for_each: [1, 2, 3]
            run: test "${{ item }}" != 2 && echo "${{ item }}"
            continue_on_error: true
          - {id: last, run: echo ok, if: steps.each.status == 'failed'}
        outputs: ${{ steps.each.output }}
    """)
    assert (done.exit_code, done.outputs) == (0, ["1", None, "3"])
    assert done.state.step("each").status == "failed"
    assert done.state.step("last").status == "succeeded"


def test_until_repeats_the_step_and_each_round_has_its_own_key(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: grow
            run: echo "$AGENTRUN_IDEMPOTENCY_KEY" >> keys; wc -l < keys | tr -d ' '
            until: output == '3'
            max_rounds: 5
    """)
    assert done.outputs == "3"
    assert len(set((desk.folder / "keys").read_text().split())) == 3


def test_until_can_ask_for_the_exit_code_of_a_failing_command(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: try
            run: echo x >> n; test $(wc -l < n) -ge 3
            until: exit_code == 0
            max_rounds: 5
    """)
    assert (done.exit_code, done.state.step("try").round) == (0, 3)


def test_until_that_never_holds_fails_after_its_rounds(desk: Desk) -> None:
    done = desk.run("steps: [{id: a, run: echo no, until: output == 'yes', max_rounds: 2}]")
    failure = done.state.step("a").failure
    assert done.exit_code == 1
    assert failure is not None
    assert (failure.kind, failure.rule) == (Kind.LOGIC, "until.max_rounds")


def test_a_fallback_is_taken_when_the_way_before_is_used_up(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: a
            run: exit 9
            fallback:
              - run: exit 8
              - run: echo third way
    """)
    assert (done.exit_code, done.outputs) == (0, "third way")


def test_checks_fail_a_step_that_ended_well_but_not_right(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: a
            run: echo 41
            output: json
            checks: ["test -e missing_file"]
    """)
    failure = done.state.step("a").failure
    assert failure is not None
    assert (failure.kind, failure.rule) == (Kind.LOGIC, "step.check")


def test_a_check_may_be_an_expression_over_the_output(desk: Desk) -> None:
    assert (
        desk.run("""
        steps:
          - {id: a, run: echo 42, output: json, checks: ["${{ output == 42 }}"]}
    """).exit_code
        == 0
    )


def test_an_answer_of_the_wrong_shape_is_a_failure_of_its_own_kind(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: a
            run: 'echo "{\\"label\\": \\"rubbish\\"}"'
            output: {label: {enum: [bug, feature]}}
    """)
    failure = done.state.step("a").failure
    assert failure is not None
    assert failure.kind is Kind.OUTPUT_FORMAT
    assert "rubbish" in failure.message


def test_broken_json_is_repaired_and_the_repair_is_on_record(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: a
            run: |
              echo '```json'; echo '{"a": 1,}'; echo '```'
            output: json
    """)
    assert (done.exit_code, done.outputs) == (0, {"a": 1})


def test_a_sub_workflow_runs_its_steps_below_its_own_address(desk: Desk) -> None:
    desk.write(
        "sub.yaml",
        """
        inputs: {name: {type: string}}
        steps:
          - {id: hello, run: 'echo "hello ${{ inputs.name }}"'}
        outputs: {said: "${{ steps.hello.output }}"}
    """,
    )
    done = desk.run("""
        steps:
          - id: each
            for_each: [ann, bob]
            workflow: sub.yaml
            with: {name: "${{ item }}"}
    """)
    assert done.outputs == [{"said": "hello ann"}, {"said": "hello bob"}]
    assert done.state.step("each[1]/hello").status == "succeeded"


def test_a_failed_step_of_a_sub_workflow_is_resumed_inside_it(
    desk: Desk, count: Callable[[str], int]
) -> None:
    desk.write(
        "sub.yaml",
        """
        steps:
          - {id: one, run: echo x >> ones}
          - {id: two, run: "test -e good && echo fine"}
        outputs: "${{ steps.two.output }}"
    """,
    )
    failed = desk.run("""
        steps:
          - {id: sub, workflow: sub.yaml}
          - {id: last, run: 'echo "got ${{ steps.sub.output }}"'}
    """)
    assert failed.exit_code == 1
    (desk.folder / "good").touch()
    done = desk.resume(failed)
    assert (done.exit_code, done.outputs) == (0, "got fine")
    assert count("ones") == 1


def test_an_approval_pauses_and_its_answer_is_the_output(desk: Desk) -> None:
    paused = desk.run("""
        steps:
          - {id: ok, approval: {message: Publish?, options: [ship, stop]}}
          - {id: out, run: 'echo "${{ steps.ok.output }}"'}
    """)
    assert paused.exit_code == 3
    done = desk.resume(paused, answers={"ok": "ship"})
    assert (done.exit_code, done.outputs) == (0, "ship")


def test_a_timeout_ends_the_attempt_and_everything_it_started(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: slow
            run: sleep 60 & echo $! > child; wait
            timeout: 2s
            retry: {max_attempts: 1}
    """)
    failure = done.state.step("slow").failure
    assert failure is not None
    assert failure.kind is Kind.TIMEOUT
    assert not lives(int((desk.folder / "child").read_text()))


def test_an_idle_timeout_ends_a_step_that_says_nothing(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - {id: mute, run: "echo hi; sleep 60", idle_timeout: 300ms, retry: {max_attempts: 1}}
    """)
    failure = done.state.step("mute").failure
    assert failure is not None
    assert "no output for 0.3 s" in failure.message


def test_a_transient_failure_that_lasts_parks_the_task(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: net
            run: 'echo "curl: (7) Failed to connect to x port 80: Connection refused" >&2; exit 7'
            retry: {max_attempts: 2, delay: 10ms}
    """)
    assert (done.exit_code, done.state.status) == (75, "paused")
    assert done.state.step("net").attempts == 2


def test_env_stdin_and_cwd_reach_the_command(desk: Desk) -> None:
    (desk.folder / "below").mkdir()
    done = desk.run("""
        env: {WHO: "${{ inputs.who }}"}
        inputs: {who: {type: string, default: world}}
        steps:
          - id: a
            run: cat; echo "$WHO $MORE $(basename "$PWD")"
            env: {MORE: more}
            cwd: below
            stdin: "from stdin\\n"
    """)
    assert done.outputs == "from stdin\nworld more below"


def test_a_python_step_calls_a_function_beside_the_workflow(desk: Desk) -> None:
    desk.write(
        "tools.py",
        """
        def add(x, y=1):
            return {"sum": x + y}
    """,
    )
    done = desk.run("""
        steps:
          - {id: a, python: "tools.py:add", with: {x: 2}}
          - {id: b, python: "tools.py:add", with: {x: "${{ steps.a.output.sum }}", y: 10}, timeout: 20s}
    """)
    assert done.outputs == {"sum": 13}


WHERE = """
    import os

    def f():
        return [os.path.basename(os.getcwd()), os.environ.get("WHO")]
"""


def test_a_python_step_has_the_environment_of_the_file(desk: Desk) -> None:
    desk.write("where.py", WHERE)
    done = desk.run("""
        env: {WHO: file}
        steps: [{id: a, python: "where.py:f"}]
    """)
    assert done.outputs == [desk.folder.name, "file"]


@pytest.mark.parametrize("key", ["env: {WHO: '%s'}", "cwd: '%s'"])
def test_what_a_sub_workflow_can_not_give_to_its_steps_fails_them(desk: Desk, key: str) -> None:
    """It is found when the step runs: the values are not known before."""
    desk.write("sub.yaml", "steps: [{id: inner, run: echo}]")
    given = key % "${{ steps.one.output.missing }}"
    done = desk.run(f"""
        steps:
          - {{id: one, run: 'echo "{{}}"', output: json}}
          - {{id: sub, workflow: sub.yaml, {given}}}
        """)
    assert done.exit_code == 1
    failure = done.state.step("sub").failure
    assert failure is not None
    assert failure.kind is Kind.INVALID_CONFIG
    assert "sub/inner: `steps.one.output` has no `missing`" in failure.message


def test_a_python_step_has_the_folder_and_environment_of_the_sub_workflow_around_it(
    desk: Desk,
) -> None:
    desk.write("where.py", WHERE)
    desk.write("sub.yaml", 'steps: [{id: a, python: "where.py:f"}]')
    (desk.folder / "below").mkdir()
    done = desk.run("""
        steps: [{id: sub, workflow: sub.yaml, cwd: below, env: {WHO: around}}]
    """)
    assert done.outputs == ["below", "around"]


def test_a_python_step_runs_in_the_recorded_folder_when_resumed_from_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("where.py", WHERE)
    failed = desk.run("""
        steps:
          - {id: early, run: test -e good}
          - {id: a, python: "where.py:f"}
    """)
    (desk.folder / "good").touch()
    (desk.folder / "other").mkdir()
    monkeypatch.chdir(desk.folder / "other")
    assert desk.resume(failed).outputs == [desk.folder.name, None]


@pytest.mark.parametrize(
    "hostile",
    [
        "$(touch pwned)",
        "`touch pwned`",
        "'; touch pwned; '",
        '"; touch pwned; "',
        "a\nb",
        "*",
        " x  y ",
        "$HOME",
        "\\",
        "-n",
        "é☃",
    ],
)
def test_a_hostile_value_comes_out_as_it_went_in(desk: Desk, hostile: str) -> None:
    done = desk.run(
        """
        inputs: {v: {type: string}}
        steps:
          - id: a
            run: |
              printf '%s|' ${{ inputs.v }} "${{ inputs.v }}" "<${{ inputs.v }}>"
              printf '%s' "$(printf '%s' "${{ inputs.v }}")"
        """,
        {"v": hostile},
    )
    assert done.outputs == f"{hostile}|{hostile}|<{hostile}>|{hostile}".removesuffix("\n")
    assert not (desk.folder / "pwned").exists()


def test_a_megabyte_goes_in_by_stdin_and_is_refused_as_an_argument(desk: Desk) -> None:
    big = "x" * 1_000_000
    text = """
        inputs: {v: {type: string}}
        steps:
          - {id: size, run: wc -c | tr -d ' ', stdin: "${{ inputs.v }}"}
          - {id: word, run: 'echo "${{ inputs.v }}"'}
    """
    done = desk.run(text, {"v": big})
    assert done.state.step("size").output is not None
    failure = done.state.step("word").failure
    assert failure is not None
    assert failure.kind is Kind.INPUT_FORMAT
    assert "stdin" in failure.message + failure.hint


def test_a_declared_remedy_is_run_once_before_the_next_attempt(
    desk: Desk, count: Callable[[str], int]
) -> None:
    done = desk.run("""
        steps:
          - id: a
            run: |
              echo x >> tries
              test "$(wc -l < tries)" -ge 3 || { echo "sh: 1: frobnicate: not found" >&2; exit 127; }
            retry: {max_attempts: 4, delay: 10ms}
            remedies:
              - {match: {kind: missing_dependency}, run: echo cured >> cures}
    """)
    assert done.exit_code == 0
    assert (count("tries"), count("cures")) == (3, 1)


def test_a_security_failure_halts_the_whole_task(desk: Desk) -> None:
    done = desk.run("""
        steps:
          - id: leak
            needs: []
            run: |
              echo "Host key verification failed." >&2
              exit 255
          - {id: other, needs: [], run: "sleep 30; echo late >> trace"}
          - {id: after, run: echo after >> trace}
    """)
    assert done.exit_code == 1
    assert not (desk.folder / "trace").exists()


def test_an_interrupted_step_that_is_not_idempotent_asks_a_person(desk: Desk) -> None:
    # The state of a task whose process died is made by hand: its journal ends with a start.
    from agentrun.core import events as ev
    from agentrun.store.manager import CheckpointManager

    paused = desk.run("""
        steps:
          - {id: gate, approval: Go?}
          - {id: pay, run: echo paid >> ledger, idempotent: false}
    """)
    with CheckpointManager(desk.root).open(paused.task_id) as task:
        for event in (
            ev.StepAnswered("gate", "approve", "me"),
            ev.StepSucceeded("gate", 1),
            ev.StepStarted("pay", 1),
        ):
            from agentrun.core.state import apply

            recorded = ev.Recorded(task.state.seq + 1, task.state.updated_at, event)
            apply(task.state, recorded)
            task.append([recorded])
    asked = desk.resume(paused)
    assert (asked.exit_code, asked.state.step("pay").waiting) == (3, "person")
    assert not (desk.folder / "ledger").exists()
    done = desk.resume(asked, retry=("pay",))
    assert done.exit_code == 0
    assert (desk.folder / "ledger").read_text() == "paid\n"


def test_what_a_timeout_of_a_sub_workflow_cut_off_is_not_repeated_unasked(
    desk: Desk, count: Callable[[str], int]
) -> None:
    desk.write(
        "sub.yaml",
        "steps: [{id: pay, run: 'echo paid >> ledger; sleep 30', idempotent: false}]",
    )
    parked = desk.run("steps: [{id: sub, workflow: sub.yaml, timeout: 2s}]")
    asked = desk.resume(parked)
    assert (asked.exit_code, asked.state.step("sub/pay").waiting) == (3, "person")
    assert count("ledger") == 1


def test_a_function_may_change_what_it_is_given_and_changes_nothing_else(desk: Desk) -> None:
    desk.write("own.py", "def f(*, x):\n    x['list'].append(9)\n    return x\n")
    done = desk.run("""
        inputs: {y: {type: object, default: {list: [1]}}}
        steps:
          - {id: a, python: "own.py:f", with: {x: "${{ inputs.y }}"}}
          - {id: b, python: "own.py:f", with: {x: "${{ steps.a.output }}"}}
          - id: c
            for_each: ["${{ steps.a.output }}", "${{ steps.a.output }}"]
            python: own.py:f
            with: {x: "${{ item }}"}
        outputs: {y: "${{ inputs.y.list }}", a: "${{ steps.a.output.list }}"}
    """)
    assert done.outputs == {"y": [1], "a": [1, 9]}


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("echo why; exit 4", "check failed: echo why; exit 4: exit code 4: why"),
        ("test -e nothing", "check failed: test -e nothing: exit code 1"),
    ],
)
def test_a_broken_check_tells_what_it_printed_and_nothing_else(
    desk: Desk, check: str, told: str
) -> None:
    done = desk.run(f"steps: [{{id: a, run: echo hi, checks: ['{check}']}}]")
    failure = done.state.step("a").failure
    assert failure is not None
    assert failure.message == told

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import ASKS, FAILS, HELLO, Agentrun, Write


def test_stdout_is_the_result_and_nothing_else(agentrun: Agentrun, write: Write) -> None:
    ran = agentrun("run", str(write("hello.yaml", HELLO)))
    assert ran.code == 0
    assert ran.out == "hello world\n"
    assert "greet  done in" in ran.err
    assert ran.err.splitlines()[-1].startswith("  next     agentrun inspect hello-")


def test_a_structured_result_is_json(agentrun: Agentrun, write: Write) -> None:
    text = "steps: [{id: a, run: 'echo 1; echo 2', output: lines}]\noutputs: {found: '${{ steps.a.output }}'}"
    assert agentrun("run", str(write("x.yaml", text))).out == '{"found": ["1", "2"]}\n'


def test_inputs_by_type(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    assert agentrun("run", file, "-i", "who=1e3", "-i", "times=2").out == "hello 1e3\nhello 1e3\n"


def test_inputs_from_a_pipe_and_from_a_file(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    piped = agentrun("run", file, "--input-file", "-", stdin='\ufeff{"who": "pipe"}')
    assert piped.out == "hello pipe\n"
    inputs = str(write("inputs.json", '{"who": "file", "times": 2}'))
    assert agentrun("run", file, "--input-file", inputs, "-i", "times=1").out == "hello file\n"


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        (["-i", "who"], "", "-i 'who' is not of the form NAME=VALUE"),
        (["-i", "=x"], "", "is not of the form NAME=VALUE"),
        (["-i", "who=a", "-i", "who=b"], "", "-i gives 'who' twice: 'a' and 'b'"),
        (["-i", "woh=a"], "", "did you mean `who`?"),
        (["-i", "times=many"], "", "`times` must be"),
        (["--input-file", "-"], "[1]", "standard input holds a list, not an object"),
        (["--input-file", "-"], "{", "standard input is not JSON"),
        (["--input-file", "-"], '{"who": NaN}', "NaN is not JSON"),
        (["--input-file", "-"], '{"who": 1e999}', "the number 1e999 is too large"),
        (["--input-file", "-"], "\xff", "not JSON"),
        (["--input-file", "none.json"], "", "can't read none.json: No such file"),
        (["--input-file", "."], "", "can't read .: Is a directory"),
        (["--resume"], "", "--resume needs --task-id"),
        (["--task-id", "../../etc"], "", "'../../etc' is not a task id"),
        (["--json", "--events", "-"], "", "both want stdout"),
        (["--events", "no/such/folder"], "", "can't write no/such/folder"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    agentrun: Agentrun, write: Write, args: list[str], stdin: str, message: str
) -> None:
    ran = agentrun("run", str(write("hello.yaml", HELLO)), *args, stdin=stdin)
    assert ran.code == 2
    assert message in ran.err
    assert not list(Path().glob("checkpoints/*"))


def test_input_that_is_not_text(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    ran = agentrun("run", file, "--input-file", "-", stdin=b"\xff\xfe\x00")
    assert ran.code == 2
    assert "standard input is not text in UTF-8" in ran.err


def test_a_missing_file(agentrun: Agentrun) -> None:
    ran = agentrun("run", "none.yaml")
    assert ran.code == 2
    assert "none.yaml does not exist" in ran.err


def test_a_failure_leaves_stdout_empty_and_says_what_to_type(
    agentrun: Agentrun, write: Write
) -> None:
    ran = agentrun("run", str(write("fails.yaml", FAILS)))
    assert ran.code == 1
    assert ran.out == ""
    assert "failed: second: " in ran.err
    assert "printed  | about to fail" in ran.err
    assert "next     agentrun debug fails-" in ran.err


def test_json_is_one_object_whatever_happens(agentrun: Agentrun, write: Write) -> None:
    good = agentrun("run", str(write("hello.yaml", HELLO)), "--json").json
    assert good["status"] == "succeeded"
    assert good["outputs"] == "hello world"
    assert good["error"] is None
    assert good["steps"]["greet"]["status"] == "succeeded"
    bad = agentrun("run", str(write("fails.yaml", FAILS)), "--json").json
    assert (bad["exit_code"], bad["error"]["step"]) == (1, "second")
    assert bad["steps"]["third"]["status"] == "blocked"
    refused = agentrun("run", "none.yaml", "--json")
    assert refused.code == refused.json["exit_code"] == 2
    assert refused.json["status"] == "refused"
    assert "none.yaml" in refused.json["error"]["message"]


def test_quiet_prints_only_errors(agentrun: Agentrun, write: Write) -> None:
    assert agentrun("run", str(write("hello.yaml", HELLO)), "-q").err == ""
    failed = agentrun("run", str(write("fails.yaml", FAILS)), "-q").err
    assert failed.startswith("failed: second: ")


def test_verbose_prints_what_steps_print(agentrun: Agentrun, write: Write) -> None:
    assert "greet  | hello world\n" in agentrun("run", str(write("hello.yaml", HELLO)), "-v").err


def test_events_on_stdout_end_with_the_result(agentrun: Agentrun, write: Write) -> None:
    ran = agentrun("run", str(write("hello.yaml", HELLO)), "--events", "-")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["type"] for event in events] == [
        "task_started",
        "step_started",
        *["process_noted"] * (len(events) - 4),
        "step_succeeded",
        "task_succeeded",
    ]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["result"] == "hello world"


def test_events_in_a_file_go_on_with_a_resume(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)), "--events", "events.ndjson")
    write("fixed", "")
    assert agentrun("resume", "latest", "--events", "events.ndjson").out == "all done\n"
    events = [json.loads(line) for line in Path("events.ndjson").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {"task_failed", "task_resumed", "task_succeeded"} <= {each["type"] for each in events}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_events_that_can_not_be_written_do_not_stop_the_task(
    agentrun: Agentrun, write: Write
) -> None:
    ran = agentrun("run", str(write("hello.yaml", HELLO)), "--events", "/dev/full")
    assert (ran.code, ran.out) == (0, "hello world\n")
    assert "warning: --events: No space left on device" in ran.err


def test_a_task_id_is_taken_once(agentrun: Agentrun, write: Write) -> None:
    file = str(write("fails.yaml", FAILS))
    assert agentrun("run", file, "--task-id", "ci-1").code == 1
    again = agentrun("run", file, "--task-id", "ci-1")
    assert again.code == 2
    assert "agentrun resume ci-1" in again.err
    write("fixed", "")
    resumed = agentrun("run", file, "--task-id", "ci-1", "--resume")
    assert (resumed.code, resumed.out) == (0, "all done\n")
    assert agentrun("run", file, "--task-id", "ci-2", "--resume").code == 0


def test_an_approval_pauses_with_3(agentrun: Agentrun, write: Write) -> None:
    ran = agentrun("run", str(write("asks.yaml", ASKS)), "--json")
    assert ran.code == 3
    assert ran.json["status"] == "paused"
    assert ran.json["error"] is None
    assert ran.json["next"].endswith(" decide publish")


def test_dry_run_shows_and_runs_nothing(agentrun: Agentrun, write: Write) -> None:
    text = """
        inputs: {n: {type: integer, default: 2}}
        secrets: [AGENTRUN_NO_SUCH_SECRET]
        steps:
          - id: one
            run: touch ran; echo ${{ inputs.n }}
          - id: two
            needs: []
            run: echo two
          - id: three
            needs: [one, two]
            for_each: ${{ steps.one.output }}
            run: echo ${{ item }}
    """
    file = str(write("dry.yaml", text))
    ran = agentrun("run", file, "--dry-run", "-i", "n=5")
    assert ran.code == 0
    assert "command: touch ran; echo 5" in ran.out
    assert "missing secret AGENTRUN_NO_SUCH_SECRET" in ran.out
    found = agentrun("run", file, "--dry-run", "--json").json
    assert [(step["id"], step["wave"]) for step in found["steps"]] == [
        ("one", 1),
        ("two", 1),
        ("three", 2),
    ]
    assert not Path("ran").exists()
    assert not Path("checkpoints").exists()


def test_a_checkpoint_folder_that_can_not_be_made_is_4(agentrun: Agentrun, write: Write) -> None:
    write("taken", "a file")
    ran = agentrun("run", str(write("hello.yaml", HELLO)), "--checkpoints", "taken/below")
    assert ran.code == 4
    assert ran.out == ""
    assert "taken" in ran.err
    assert "Traceback" not in ran.err

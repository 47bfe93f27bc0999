"""inspect, debug, list, logs: looking changes nothing and never fails for what a task holds."""

from pathlib import Path

import pytest

from tests.cli.conftest import FAILS, HELLO, Agentrun, Write

LOOPS = """
    steps:
      - id: each
        for_each: [1, 2, 3]
        run: echo "item ${{ item }}"; test "${{ item }}" != 2
      - id: after
        run: echo after
"""


def test_inspect_a_failed_task(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    ran = agentrun("inspect", "latest")
    assert ran.code == 0
    assert ran.err == ""
    rows = [line.split()[:2] for line in ran.out.splitlines() if line.startswith("  ")]
    assert ["first", "succeeded"] in rows
    assert ["second", "failed"] in rows
    assert ["third", "blocked"] in rows
    assert "agentrun debug fails-" in ran.out


def test_inspect_as_json(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    found = agentrun("inspect", "latest", "--json").json
    assert found["status"] == "failed"
    assert found["exit_code"] == 1
    assert found["step_outputs"] == {"first": "fine", "second": None, "third": None}
    past = agentrun("inspect", "latest", "--at", "first", "--json").json
    assert past["status"] == "running"
    assert past["steps"]["second"]["status"] == "pending"


def test_inspect_one_step(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("loops.yaml", LOOPS)))
    text = agentrun("inspect", "latest", "--step", "each[0]").out
    assert text.startswith("each[0]  succeeded\n")
    assert "output\n  item 1\n" in text
    assert "/logs/each[0]/1.log" in text
    assert agentrun("inspect", "latest", "--step", "each[0]", "--json").json["output"] == "item 1"
    ran = agentrun("inspect", "latest", "--step", "eahc")
    assert ran.code == 2
    assert "did you mean each" in ran.err


def test_inspect_a_moment_that_is_none(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    ran = agentrun("inspect", "latest", "--at", "999")
    assert ran.code == 2
    assert "there is no event 999: the task has events 1 to " in ran.err


def test_compare_two_moments_and_two_tasks(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    agentrun("run", file, "--task-id", "one")
    agentrun("run", file, "--task-id", "two", "-i", "who=you")
    moments = agentrun("inspect", "one", "--diff", "1", "greet").out
    assert "  status: pending → succeeded\n" in moments
    tasks = agentrun("inspect", "one", "--diff", "one", "two").out
    assert "  input who: world → you\n" in tasks
    assert "  output: hello world → hello you\n" in tasks
    changes = agentrun("inspect", "one", "--diff", "one", "two", "--json").json["changes"]
    assert {"step": "greet", "what": "output", "old": "hello world", "new": "hello you"} in changes
    assert agentrun("inspect", "one", "--diff", "one", "three").code == 2


def test_verify_a_whole_and_a_damaged_task(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("hello.yaml", HELLO)), "--task-id", "one")
    whole = agentrun("inspect", "one", "--verify")
    assert whole.code == 0
    assert "bad" not in whole.out
    journal = Path("checkpoints/one/journal.jsonl")
    data = bytearray(journal.read_bytes())
    data[len(data) // 3] ^= 1
    journal.write_bytes(data)
    damaged = agentrun("inspect", "one", "--verify")
    assert damaged.code == 4
    assert "bad  journal.jsonl: " in damaged.out
    assert agentrun("inspect", "one", "--verify", "--json").json["ok"] is False


def test_debug_a_failure(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("loops.yaml", LOOPS)))
    ran = agentrun("debug", "latest")
    assert ran.code == 0
    assert ran.out.startswith("each[1]: ")
    assert "  item    2\n" in ran.out
    assert "  | item 2\n" in ran.out
    assert "agentrun logs loops-" in ran.out
    found = agentrun("debug", "latest", "--json").json
    assert [incident["step"] for incident in found["incidents"]] == ["each[1]"]


@pytest.mark.parametrize(
    ("form", "begins"), [("md", "# fails-"), ("html", "<!doctype html>"), ("json", '{"task_id"')]
)
def test_debug_reports(agentrun: Agentrun, write: Write, form: str, begins: str) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    ran = agentrun("debug", "latest", "--report", form)
    assert ran.code == 0
    assert ran.out.startswith(begins)
    assert "about to fail" in ran.out


def test_debug_what_has_not_failed_and_an_earlier_moment(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    assert "no step has failed" in agentrun("debug", "latest", "--at", "first").out


def test_list_newest_first(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    for name in ("one", "two"):
        agentrun("run", file, "--task-id", name)
    agentrun("run", str(write("fails.yaml", FAILS)), "--task-id", "three")
    lines = agentrun("list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["task", "three", "two", "one"]
    assert [task["task_id"] for task in agentrun("list", "--status", "failed", "--json").json] == [
        "three"
    ]
    assert [task["status"] for task in agentrun("list", "--workflow", "hello", "--json").json] == [
        "succeeded",
        "succeeded",
    ]
    limited = agentrun("list", "--limit", "1")
    assert "2 older; see them with --limit 0" in limited.err


def test_list_nothing(agentrun: Agentrun) -> None:
    ran = agentrun("list")
    assert (ran.code, ran.out) == (0, "")
    assert "no tasks in checkpoints" in ran.err
    assert agentrun("list", "--json").json == []


def test_logs(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("loops.yaml", LOOPS)))
    assert agentrun("logs", "latest", "each[0]").out == "item 1\n"
    every = agentrun("logs", "latest", "each").out
    assert "==> each[1], attempt 1 <==\nitem 2\n" in every
    assert "==> each[0], attempt 1 <==\nitem 1\n" in agentrun("logs", "latest").out
    assert agentrun("logs", "latest", "each[0]", "--follow").out == "item 1\n"
    ran = agentrun("logs", "latest", "aech")
    assert ran.code == 2
    assert "did you mean each" in ran.err


def test_logs_are_the_bytes_that_were_printed(agentrun: Agentrun, write: Write) -> None:
    write("bytes.yaml", r"""steps: [{id: a, run: "printf '\\033[31mred\\n'"}]""")
    agentrun("run", "bytes.yaml")
    assert agentrun("logs", "latest", "a").out == "\x1b[31mred\n"


def test_logs_of_one_attempt(agentrun: Agentrun, write: Write) -> None:
    text = """
        steps:
          - id: a
            run: echo "try $AGENTRUN_ATTEMPT"; test "$AGENTRUN_ATTEMPT" = 2
            retry: {max_attempts: 2, delay: 1ms, on: [any]}
    """
    agentrun("run", str(write("retry.yaml", text)))
    assert agentrun("logs", "latest", "a").out == "try 2\n"
    assert agentrun("logs", "latest", "a", "--attempt", "1").out == "try 1\n"


def test_a_secret_is_not_shown(
    agentrun: Agentrun, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2hunter2")
    text = "secrets: [MY_TOKEN]\nsteps: [{id: a, run: 'echo \"is $MY_TOKEN\"'}]"
    assert agentrun("run", str(write("secret.yaml", text)), "-v").out == "is hunter2hunter2\n"
    monkeypatch.delenv("MY_TOKEN")
    for args in (["inspect"], ["inspect", "--json"], ["logs"], ["debug"], ["inspect", "--step=a"]):
        command, *rest = args
        ran = agentrun(command, "latest", *rest)
        assert ran.code == 0, ran.err
        assert "hunter2" not in ran.out
    assert agentrun("inspect", "latest", "--json").json["outputs"] == "is [secret MY_TOKEN]"


def test_what_holds_a_waiting_step_waits_too_and_tells_no_old_failure(
    agentrun: Agentrun, write: Write
) -> None:
    write(
        "sub.yaml",
        """
        steps:
          - {id: bad, run: test -e good || exit 9}
          - {id: ok, approval: Go?}
        """,
    )
    file = str(write("w.yaml", "steps: [{id: sub, workflow: sub.yaml}]"))
    assert agentrun("run", file).code == 1
    write("good", "")
    assert agentrun("resume", "latest").code == 3
    [row] = [line for line in agentrun("inspect", "latest").out.splitlines() if " sub " in line]
    assert "waiting" in row
    assert "exit code" not in row

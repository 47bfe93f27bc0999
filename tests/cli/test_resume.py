import pytest

from tests.cli.conftest import FAILS, HELLO, Agentrun, Write


def test_a_resume_goes_on_where_it_was_left(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    write("fixed", "")
    ran = agentrun("resume", "latest")
    assert (ran.code, ran.out) == (0, "all done\n")
    assert "resumed: 1 of 3 steps done" in ran.err
    assert "first  started" not in ran.err


def test_a_task_that_has_succeeded_prints_its_result_again(
    agentrun: Agentrun, write: Write
) -> None:
    agentrun("run", str(write("hello.yaml", HELLO)))
    for args in ([], ["--json"], ["--events", "-"]):
        ran = agentrun("resume", "latest", *args)
        assert ran.code == 0
        assert "hello world" in ran.out
        assert "started" not in ran.err
    assert agentrun("resume", "hello-").out == "hello world\n"


def test_a_plan_runs_nothing(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    write("fixed", "")
    ran = agentrun("resume", "latest", "--plan")
    assert ran.code == 0
    rows = [line.split()[:2] for line in ran.out.splitlines()[1:4]]
    assert rows == [["reuse", "first"], ["run", "second"], ["run", "third"]]
    assert "1 of 3 steps reused, which saves" in ran.out
    assert "attempt 1 failed" in ran.out
    assert agentrun("inspect", "latest", "--json").json["status"] == "failed"
    actions = [row["action"] for row in agentrun("resume", "latest", "--plan", "--json").json]
    assert actions == ["reuse", "run", "run"]


def test_another_workflow_is_shown_step_by_step(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    better = str(write("better.yaml", FAILS.replace("test -e fixed", "true")))
    plan = agentrun("resume", "latest", "--workflow", better, "--plan").out
    assert "its definition has changed" in plan
    assert "its definition is the same" in plan
    assert agentrun("resume", "latest", "--workflow", better).out == "all done\n"


def test_a_resume_says_that_an_edited_file_is_not_what_runs(
    agentrun: Agentrun, write: Write
) -> None:
    flow = str(write("fails.yaml", FAILS))
    agentrun("run", flow, "--task-id", "t")
    assert "definition" not in agentrun("resume", "t").err
    write("fails.yaml", FAILS.replace("test -e fixed", "true"))
    for args in (["resume", "t"], ["run", flow, "--task-id", "t", "--resume"]):
        ran = agentrun(*args)
        assert ran.code == 1
        assert "fails.yaml holds another; to take that: agentrun resume t --workflow" in ran.err
    assert agentrun("resume", "t", "--workflow", flow).code == 0
    assert "definition" not in agentrun("resume", "t").err


def test_run_resume_says_that_other_inputs_are_not_taken(agentrun: Agentrun, write: Write) -> None:
    flow = str(write("hello.yaml", HELLO))
    agentrun("run", flow, "--task-id", "t", "-i", "who=you")
    again = ["run", flow, "--task-id", "t", "--resume", "-i"]
    assert "inputs" not in agentrun(*again, "who=you").err
    ran = agentrun(*again, "who=me")
    assert ran.out == "hello you\n"
    assert "keeps its inputs (who); to change one: agentrun resume t --set who=..." in ran.err


def test_a_skip_counts_as_done(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    assert agentrun("resume", "latest", "--skip", "second").out == "all done\n"


def test_from_and_set(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("hello.yaml", HELLO)))
    ran = agentrun("resume", "latest", "--from", "greet", "--set", "who=you")
    assert ran.out == "hello you\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--from", "secnd"], "did you mean second?"),
        (["--skip", "nothing"], "has no step 'nothing'"),
        (["--set", "x"], "--set 'x' is not of the form NAME=VALUE"),
        (["--answer", "second"], "--answer 'second' is not of the form NAME=VALUE"),
        (["--workflow", "none.yaml"], "none.yaml does not exist"),
        (["--json", "--events", "-"], "both want stdout"),
    ],
)
def test_what_can_not_be_resumed_so(
    agentrun: Agentrun, write: Write, args: list[str], message: str
) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    ran = agentrun("resume", "latest", *args)
    assert ran.code == 2
    assert message in ran.err


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("fals", "There is no task 'fals'"),
        ("../../etc", "There is no task '../../etc'"),
        ("", "There is no task ''"),
    ],
)
def test_an_unknown_task(agentrun: Agentrun, write: Write, task: str, message: str) -> None:
    agentrun("run", str(write("fails.yaml", FAILS)))
    for command in ("resume", "inspect", "debug", "logs", "cancel", "fork", "approve"):
        ran = agentrun(command, task)
        assert ran.code == 2, command
        assert message in ran.err
        assert ran.out == ""


def test_a_hint_is_for_the_same_folder(agentrun: Agentrun, write: Write) -> None:
    flow = str(write("hello.yaml", HELLO))
    here = ["--checkpoints", "elsewhere"]
    agentrun("run", flow, "--task-id", "t", *here)
    refused = agentrun("run", flow, "--task-id", "t", *here)
    assert "Go on with it: agentrun --checkpoints elsewhere resume t." in refused.err
    assert "agentrun --checkpoints elsewhere list" in agentrun("resume", "x", *here, "--json").out

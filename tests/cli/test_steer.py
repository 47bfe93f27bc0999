"""approve, cancel, fork, clean, doctor, init."""

from pathlib import Path

import pytest

from agentrun.cli.init import TEMPLATES
from agentrun.foresight import first_word
from tests.cli.conftest import ASKS, FAILS, HELLO, Agentrun, Write


def test_an_approval_is_answered_and_the_task_goes_on(agentrun: Agentrun, write: Write) -> None:
    assert agentrun("run", str(write("asks.yaml", ASKS))).code == 3
    ran = agentrun("approve", "latest", "decide", "discard")
    assert ran.code == 0
    assert "decide: answered\n" in ran.err
    assert agentrun("resume", "latest").out == "discard\n"


def test_an_answer_that_is_no_option(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("asks.yaml", ASKS)))
    assert agentrun("approve", "latest", "decide", "maybe").code == 2
    assert agentrun("approve", "latest", "act", "publish").code == 2


def test_cancel(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("asks.yaml", ASKS)))
    assert agentrun("cancel", "latest", "--reason", "not today").code == 0
    assert agentrun("inspect", "latest", "--json").json["status"] == "cancelled"
    assert "cancelled: not today" in agentrun("inspect", "latest").out
    assert agentrun("cancel", "latest").code == 2


def test_fork_and_compare(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("hello.yaml", HELLO)), "--task-id", "one")
    ran = agentrun("fork", "one", "--at", "greet", "--set", "who=fork")
    assert ran.code == 0
    new_id = ran.out.strip()
    assert new_id != "one"
    assert agentrun("resume", new_id).out == "hello fork\n"
    assert agentrun("resume", "one").out == "hello world\n"
    assert f"from one, event " in agentrun("inspect", new_id).out  # noqa: F541
    assert "who: world → fork" in agentrun("inspect", "one", "--diff", "one", new_id).out


def test_clean_asks_or_wants_yes(agentrun: Agentrun, write: Write) -> None:
    file = str(write("hello.yaml", HELLO))
    for name in ("one", "two", "three"):
        agentrun("run", file, "--task-id", name)
    agentrun("run", str(write("fails.yaml", FAILS)), "--task-id", "bad")
    refused = agentrun("clean")
    assert refused.code == 2
    assert "to remove 3 tasks, say --yes" in refused.err
    dry = agentrun("clean", "--keep", "1", "--dry-run")
    assert dry.out == "one\ntwo\n"
    assert agentrun("clean", "--keep", "1", "--yes").err == "2 tasks removed\n"
    assert agentrun("clean", "--older-than", "1d", "--yes").err == "0 tasks removed\n"
    assert {task["task_id"] for task in agentrun("list", "--json").json} == {"three", "bad"}
    assert agentrun("clean", "--status", "failed", "-y", "--json").json == {
        "tasks": ["bad"],
        "removed": True,
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--older-than", "soon"], "--older-than: `soon` is not a duration"),
        (["--status", "sucess"], "did you mean succeeded?"),
        (["--keep", "-1"], "Invalid value for '--keep'"),
    ],
)
def test_clean_refuses_what_it_does_not_understand(
    agentrun: Agentrun, args: list[str], message: str
) -> None:
    ran = agentrun("clean", *args)
    assert ran.code == 2
    assert message.strip("`") in ran.err.replace("'soon'", "`soon`")


def test_doctor_of_the_machine(agentrun: Agentrun) -> None:
    ran = agentrun("doctor")
    assert ran.code == 0
    assert "ok       checkpoints: checkpoints will be made\n" in ran.out
    assert not Path("checkpoints").exists()


def test_doctor_of_a_workflow(
    agentrun: Agentrun, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        secrets: [AGENTRUN_NO_SUCH_SECRET, AGENTRUN_SET_SECRET]
        steps:
          - id: a
            run: |
              # first a comment
              no-such-program --version
          - id: b
            python: gone.py:main
    """
    monkeypatch.setenv("AGENTRUN_SET_SECRET", "value")
    file = str(write("sick.yaml", text))
    ran = agentrun("doctor", file)
    assert ran.code == 1
    assert "bad      secret: AGENTRUN_NO_SUCH_SECRET is not set" in ran.out
    assert "ok       secret: AGENTRUN_SET_SECRET is set" in ran.out
    assert "warning  program: no-such-program (step a) is not found on PATH" in ran.out
    assert "bad      file: gone.py (step b) is missing" in ran.out
    assert "value" not in ran.out
    found = agentrun("doctor", file, "--json").json
    assert found["ok"] is False


def test_doctor_of_an_api_model(
    agentrun: Agentrun, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        steps:
          - {id: a, agent: {model: "openai:gpt-4o", prompt: hi}}
          - {id: b, agent: {model: "nobody:x", prompt: hi}}
          - {id: c, agent: {model: "${{ env.MODEL }}", prompt: hi}}
    """
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    file = str(write("models.yaml", text))
    ran = agentrun("doctor", file)
    assert ran.code == 1
    assert "bad      model: openai:gpt-4o (step a): no API key" in ran.out
    assert "OPENAI_API_KEY is not set" in ran.out
    assert "bad      model: nobody:x (step b): " in ran.out
    assert "step c" not in ran.out
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert "ok       model: openai:gpt-4o (step a)\n" in agentrun("doctor", file).out


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("gh issue list", "gh"),
        ("\n# comment\n  jq . x\n", "jq"),
        ("if true; then x; fi", None),
        ("A=1 make", None),
        ("$CMD x", None),
        ("./script.sh", None),
        ("", None),
        (None, None),
    ],
)
def test_the_program_a_command_begins_with(text: str | None, word: str | None) -> None:
    assert first_word(text) == word


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_valid(agentrun: Agentrun, name: str) -> None:
    assert agentrun("init", "new", "--template", name).code == 0
    ran = agentrun("validate", "new/workflow.yaml")
    assert ran.code == 0, ran.err + ran.out


@pytest.mark.parametrize(
    ("name", "code", "result"),
    [
        ("basic", 0, "the longest text has 6 words"),
        ("python", 0, '{"total": 55}'),
        ("approval", 3, ""),
    ],
)
def test_templates_run(agentrun: Agentrun, name: str, code: int, result: str) -> None:
    ran = agentrun("init", "new", "-t", name)
    assert "next     agentrun run new/workflow.yaml" in ran.err
    ran = agentrun("run", "new/workflow.yaml")
    assert ran.code == code, ran.err
    assert result in ran.out


def test_init_never_overwrites(agentrun: Agentrun) -> None:
    assert agentrun("init").code == 0
    again = agentrun("init")
    assert again.code == 2
    assert "workflow.yaml is there already" in again.err


def test_init_knows_its_templates(agentrun: Agentrun) -> None:
    assert all(name in agentrun("init", "--list").out for name in TEMPLATES)
    ran = agentrun("init", "-t", "pyhton")
    assert ran.code == 2
    assert "did you mean python?" in ran.err

"""`agentrun classify` as a person or a script uses it."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from agentrun.__main__ import run as run_command_line
from agentrun.cli.classify import classify_command
from agentrun.errors import UsageError

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def _agentrun(words: list[str]) -> None:
    raise typer.Exit(run_command_line(words))


def run(*args: str, text: str | bytes = "") -> Result:
    return CliRunner().invoke(app, ["classify", *args], input=text)


def answers(*entries: object) -> list[dict[str, Any]]:
    lines = "\n".join(json.dumps(entry) for entry in entries)
    return [json.loads(line) for line in run("--jsonl", text=lines).stdout.splitlines()]


def test_it_explains_a_failure_from_stdin() -> None:
    result = run("--exit-code", "128", text="fatal: Authentication failed for 'https://x/'")
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert (lines["category"], lines["kind"], lines["rule"]) == ("fatal", "auth", "git.auth")
    assert "Authentication failed" in lines["evidence"]
    assert lines["next"]


def test_json_is_one_object() -> None:
    result = run("--status", "429", "--json", text="retry after 7 seconds")
    answer = json.loads(result.stdout)
    assert answer["kind"] == "rate_limit"
    assert answer["retry_after_s"] == 7
    assert set(answer) == {"category", "kind", "retry_after_s", "rule", "evidence", "hint"}


@pytest.mark.parametrize("signal", ["9", "KILL", "SIGKILL"])
def test_a_signal_may_be_a_number_or_a_name(signal: str) -> None:
    assert json.loads(run("--signal", signal, "--json").stdout)["kind"] == "out_of_memory"


def test_an_exception_type_counts() -> None:
    result = run("--exception", "psycopg.errors.DeadlockDetected", "--json", text="x")
    assert json.loads(result.stdout)["kind"] == "lock"


def test_a_channel_can_be_given() -> None:
    result = run("--channel", "llm", "--status", "413", "--json", text="too big")
    assert json.loads(result.stdout)["kind"] == "context_overflow"


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--channel", "email"], "must be one of subprocess"),
        (["--signal", "4000"], "no signal of that number"),
        (["--jsonl", "--status", "500"], "leave out the other flags"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(args: list[str], complaint: str) -> None:
    result = run(*args, text="x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr


def test_each_line_gets_one_answer_in_order() -> None:
    got = answers(
        {"id": 7, "text": "Connection refused"},
        {"id": "b", "text": "", "exit_code": 137},
        {"text": "x", "channel": None, "status": None},
    )
    assert [one["id"] for one in got] == [7, "b", None]
    assert [one["kind"] for one in got] == ["network", "out_of_memory", "unknown"]
    assert set(got[0]) == {"id", "category", "kind", "retry_after_s", "rule", "evidence"}


def test_a_line_that_cannot_be_read_is_answered_and_warned_of() -> None:
    text = (
        '{"id": 1, "text": "Killed"}\nnot json\n[1]\n{"id": 4, "text": 5}\n{"id": 5, "text": ""}\n'
    )
    result = run("--jsonl", text=text)
    got = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["id"] for one in got] == [1, None, None, 4, 5]
    assert [one["rule"] for one in got[1:4]] == ["input.unreadable"] * 3
    assert got[1]["category"] == "fatal"
    assert result.stderr.count("line ") >= 3
    assert result.exit_code == 0


def test_empty_lines_are_passed_over_and_no_lines_give_no_answers() -> None:
    assert run("--jsonl", text="\n\n").stdout == ""
    assert run("--jsonl", text="").stdout == ""


def test_bytes_that_are_no_utf8_are_tolerated() -> None:
    assert run("--json", text=b"\xff\xfe Connection refused \x80").exit_code == 0
    line = b'{"id": 1, "text": "\xff Connection refused"}\n'
    assert json.loads(run("--jsonl", text=line).stdout)["kind"] == "network"


def test_half_a_surrogate_pair_reaches_stdout_as_utf8() -> None:
    result = run("--jsonl", text='{"text": "Connection refused \\ud83d"}\n')
    assert json.loads(result.stdout)["kind"] == "network"


def test_a_cause_at_either_end_of_a_long_text_is_found() -> None:
    filler = "all is well here\n" * 100_000
    for text in (f"Connection refused\n{filler}", f"{filler}Connection refused\n"):
        assert json.loads(run("--json", text=text).stdout)["kind"] == "network"


def test_a_terminal_as_stdin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with CliRunner().isolation(input="") as _streams:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        with pytest.raises(UsageError, match="is read from stdin"):
            classify_command()


def test_help_shows_examples() -> None:
    shown = run("--help").stdout
    assert "--jsonl" in shown
    assert "agentrun classify --status 429 --json < body.json" in shown

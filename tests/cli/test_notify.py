"""Who is told how a task ended, and what is on disk for whoever is asked."""

import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from agentrun.core.model import Workflow
from agentrun.core.state import TaskState
from agentrun.notify import tell
from agentrun.store.manager import CheckpointManager
from tests.cli.conftest import Agentrun, Write

FAILS = """
    secrets: [HOOK_WORD]
    {debugger}
    notify: [{{url: "{url}", on: {on}}}]
    steps: [{{id: a, run: "echo \\"AssertionError: $HOOK_WORD\\" >&2; exit 1"}}]
"""


def fails(url: str, on: str = "[failed]", debugger: str = "") -> str:
    return FAILS.format(url=url, on=on, debugger=debugger)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_WORD", "hush-hush-word")


def sent(server: HTTPServer) -> list[Any]:
    return [request.get_json() for request, _answer in server.log]


def test_a_webhook_gets_one_object_without_secrets(
    agentrun: Agentrun, write: Write, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    ran = agentrun("run", str(write("w.yaml", fails(httpserver.url_for("/hook")))))
    assert ran.code == 1
    (message,) = sent(httpserver)
    assert (message["workflow"], message["status"], message["step"]) == ("w", "failed", "a")
    assert message["error"]["kind"] == "logic"
    assert message["next"].startswith("agentrun debug w-")
    assert "hush-hush-word" not in str(message)
    assert "[secret:HOOK_WORD]" in str(message)


@pytest.mark.parametrize(("on", "debugger", "count"), [
    ("[succeeded]", "", 0),
    ("[paused]", "", 0),
    ("[escalated]", "", 0),
    ("[escalated]", "debugger: {}", 1),
    ("[escalated, paused]", "debugger: {}", 1),
])  # fmt: skip
def test_only_who_wants_to_know_is_told(
    agentrun: Agentrun, write: Write, httpserver: HTTPServer, on: str, debugger: str, count: int
) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    text = fails(httpserver.url_for("/hook"), on, debugger)
    agentrun("run", str(write("w.yaml", text)))
    assert len(sent(httpserver)) == count


def test_an_address_may_come_from_the_environment(
    agentrun: Agentrun, write: Write, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    monkeypatch.setenv("HOOK", httpserver.url_for("/hook"))
    agentrun(
        "run",
        str(
            write(
                "w.yaml", fails("${{{{ env.HOOK }}}}".replace("{{{{", "{{").replace("}}}}", "}}"))
            )
        ),
    )
    assert len(sent(httpserver)) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/hook", "http://[bad", "nonsense", "slack://token-abc"]
)
def test_what_cannot_be_delivered_is_a_warning_and_changes_nothing(
    agentrun: Agentrun, write: Write, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    ok = f'notify: [{{url: "{url}", on: [succeeded]}}]\nsteps: [{{id: a, run: echo hi}}]\n'
    ran = agentrun("run", str(write("w.yaml", ok)))
    assert (ran.code, ran.out) == (0, "hi\n")
    assert "a notification was not delivered" in ran.err
    assert "token-abc" not in ran.err
    manager = CheckpointManager(tmp_path / "checkpoints")
    (task,) = manager.list()
    warnings = manager.read(task.task_id).state.warnings
    assert any("not delivered" in each for each in warnings)
    assert agentrun("inspect", "latest", "--verify").code == 0
    assert agentrun("resume", "latest").out == "hi\n"


def test_a_refusal_of_the_webhook_is_told(
    agentrun: Agentrun, write: Write, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", status=500)
    ran = agentrun("run", str(write("w.yaml", fails(httpserver.url_for("/hook")))))
    assert "answered 500" in ran.err


@pytest.mark.parametrize(("adds", "delivers", "said"), [
    (True, True, ""),
    (True, False, "could not deliver"),
    (False, True, "does not understand"),
])  # fmt: skip
def test_other_addresses_go_to_apprise_and_its_answer_counts(
    agentrun: Agentrun, write: Write, monkeypatch: pytest.MonkeyPatch,
    adds: bool, delivers: bool, said: str,
) -> None:  # fmt: skip
    told: list[str] = []

    class Fake:
        def add(self, _url: str) -> bool:
            return adds

        def notify(self, *, title: str, body: str) -> bool:
            told.append(f"{title}\n{body}")
            return delivers

    module = ModuleType("apprise")
    module.Apprise = Fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apprise", module)
    ran = agentrun("run", str(write("w.yaml", fails("mailto://me:pw@example.com"))))
    assert said in ran.err
    assert (not said) == ("not delivered" not in ran.err)
    assert "pw@" not in ran.err
    if adds:
        assert told[0].startswith("w failed\nstep a\nlogic: ")
        assert "hush-hush-word" not in told[0]


def test_an_escalation_leaves_its_report_and_says_where(
    agentrun: Agentrun, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        inputs: {region: {type: string, default: eu}}
        debugger: {autofix: suggest}
        steps: [{id: a, run: 'echo "$REGION"'}]
    """
    monkeypatch.setenv("REGION", "eu")
    assert agentrun("run", str(write("w.yaml", text))).code == 0
    monkeypatch.delenv("REGION")
    ran = agentrun("run", "w.yaml")
    assert ran.code == 3
    (path,) = tmp_path.glob("checkpoints/w-*/reports/a.md")
    assert str(path.relative_to(tmp_path)) in ran.err
    report = path.read_text()
    happened = ("### What happened", "unbound variable", "### Since it last succeeded")
    for part in (*happened, "+ env.REGION: eu", "--apply 1"):
        assert part in report
    assert agentrun("debug", "latest", "--apply", "1").code == 0


# --- the real Apprise ---------------------------------------------------------------------------

ASKS = "- {id: a, approval: {message: Sure}}"
ENDINGS = {
    "succeeded": ("- {id: a, run: echo hi}", "", 0, "succeeded"),
    "failed": ("""- {id: a, run: "echo 'AssertionError: no' >&2; exit 1"}""", "", 1, "failed"),
    "paused": (ASKS, "", 3, "paused"),
    "escalated": (
        """- {id: a, run: "echo 'AssertionError: no' >&2; exit 1"}""",
        "debugger: {}",
        3,
        "paused",
    ),
}


@pytest.mark.parametrize("on", ENDINGS)
def test_the_real_apprise_delivers_each_ending(
    agentrun: Agentrun, write: Write, httpserver: HTTPServer, on: str
) -> None:
    pytest.importorskip("apprise")
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    step, debugger, code, status = ENDINGS[on]
    url = f"json://127.0.0.1:{httpserver.port}/hook"
    text = f'notify: [{{url: "{url}", on: [{on}]}}]\n{debugger}\nsteps:\n  {step}\n'
    ran = agentrun("run", str(write("w.yaml", text)))
    assert ran.code == code
    assert "not delivered" not in ran.err
    (message,) = sent(httpserver)
    assert message["title"] == f"w {status}"
    assert "task w-" in message["message"]
    assert ("step a" in message["message"]) is (on != "succeeded")


def test_a_refusal_is_told_by_the_real_apprise_without_the_address(
    agentrun: Agentrun, write: Write, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("apprise")
    httpserver.expect_request("/hush").respond_with_data("no", status=500)
    url = f"json://me:pass-word@127.0.0.1:{httpserver.port}/hush"
    text = f'notify: [{{url: "{url}", on: [succeeded]}}]\nsteps: [{{id: a, run: echo hi}}]\n'
    ran = agentrun("run", str(write("w.yaml", text)))
    assert (ran.code, ran.out) == (0, "hi\n")
    assert "json: Apprise could not deliver it" in ran.err
    assert "hush" not in ran.err
    assert "pass-word" not in ran.err
    assert not [each for each in caplog.records if each.name == "apprise"]


@pytest.mark.parametrize("scheme", ["http", "json"])
def test_who_never_answers_holds_nothing_up_and_the_others_are_told(
    httpserver: HTTPServer, scheme: str
) -> None:
    pytest.importorskip("apprise")
    httpserver.expect_request("/hook").respond_with_data("ok")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes calls and says nothing
        mute = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x"
        wanted = [{"url": url, "on": ["failed"]} for url in (mute, httpserver.url_for("/hook"))]
        workflow = Workflow("w", (), notify=tuple(wanted))
        state = TaskState("w-1", status="failed", workflow="w")
        problems = tell(workflow, state, {}, patience_s=3.0)
    assert problems == ["a notification was not delivered: no answer within 3 s"]
    assert len(sent(httpserver)) == 1

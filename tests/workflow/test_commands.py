"""`validate`, `schema` and `graph`, as they are typed."""

import json
from pathlib import Path

import pytest

from agentrun.cli.main import execute

FLOW = """\
name: fan
steps:
  - {id: start, run: ls}
  - {id: left, run: ls, needs: [start]}
  - {id: right, run: ls, needs: [start], if: "${{ env.X }}"}
  - {id: end, approval: go on?}
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "bad.yaml").write_text("steps:\n  - id: a\n    rum: ls\n")
    return "flow.yaml"


def test_a_valid_file_is_said_to_be_valid(flow: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["validate", flow]) == 0
    assert capfd.readouterr() == ("flow.yaml: valid, 4 steps\n", "")


def test_an_invalid_file_shows_its_problems_on_stderr(
    flow: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["validate", flow, "bad.yaml"]) == 2
    out, err = capfd.readouterr()
    assert out == "flow.yaml: valid, 4 steps\n"
    assert "bad.yaml:3:5: error: unknown key `rum`" in err
    assert "did you mean `run`?" in err


def test_json_is_a_list_of_problems(flow: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["validate", "bad.yaml", "--json"]) == 2
    found = json.loads(capfd.readouterr().out)
    assert [each["line"] for each in found] == [3]
    assert found[0].keys() == {
        "file",
        "line",
        "column",
        "source_line",
        "message",
        "hint",
        "severity",
    }


def test_json_of_a_valid_file_is_an_empty_list(
    flow: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["validate", flow, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []


def test_a_file_that_is_not_there_is_a_problem_among_others(
    flow: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["validate", "flwo.yaml", flow]) == 2
    out, err = capfd.readouterr()
    assert "flwo.yaml does not exist" in err
    assert "did you mean flow.yaml?" in err
    assert "valid" in out


def test_the_schema_is_printed(flow: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["schema"]) == 0
    assert json.loads(capfd.readouterr().out)["title"] == "agentrun workflow"


def test_a_workflow_is_drawn_in_the_terminal(flow: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["graph", flow]) == 0
    assert capfd.readouterr().out == (
        "fan\n●─ start (run)\n│\n┌─ left (run)\n└─ right (run, if)\n│\n●─ end (approval)\n"
    )


def test_a_workflow_is_drawn_as_mermaid_and_dot(
    flow: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["graph", flow, "--format", "mermaid"]) == 0
    mermaid = capfd.readouterr().out
    assert mermaid.startswith("flowchart TD\n")
    assert "s_left --> s_end" in mermaid
    assert "s_start --> s_end" not in mermaid
    assert execute(["graph", flow, "--format", "dot"]) == 0
    assert '"right" -> "end";' in capfd.readouterr().out

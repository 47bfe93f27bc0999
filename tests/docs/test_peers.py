"""What people write for other tools, in our language: every one is valid, and runs.

What needs agents or services is run with stubs (workflows/peers/stubs), so that its order, its
conditions and its data are real.
"""

from pathlib import Path
from typing import Any

import pytest

from agentrun.app import run_task
from agentrun.requests import Finished, RunRequest, StubRequest
from agentrun.workflow.load import check_file

PEERS = Path(__file__).parents[2] / "workflows" / "peers"
FILES = sorted(PEERS.glob("*.yaml"))
PARTS = {"dagu_one_file", "conductor_design_round", "actions_deploy"}
"""Sub-workflows of the others."""

OUTPUTS: dict[str, Any] = {
    "actions_matrix": "6 of 6 passed",
    "actions_release": "production: app-1.2.0.tar.gz",
    "archon_fix_issue": "https://example.com/pull/1",
    "argo_coinflip": "it was heads",
    "argo_diamond": "AB AC",
    "argo_fan_out": {"squares": [1, 4, 9, 16, 25, 36], "total": 91},
    "conductor_design_review": {"design": "A small server with three routes.", "decision": "build"},
    "conductor_research": "A report.",
    "dagu_etl": {"loaded": "2026-11-23:17", "quality": "failed"},
    "dagu_files": [
        {"file": f"{name}.csv", "text": f"ROWS OF {name.upper()}.CSV"}
        for name in ("north", "south", "west")
    ],
    "lobster_inbox": {"decided": "apply", "actions": 1},
    "states_job_poller": "the job is done",
    "states_saga": "the order is on its way",
}


def run(name: str, folder: Path, **inputs: object) -> Finished:
    stubs = PEERS / "stubs" / f"{name}.yaml"
    stub = StubRequest(str(stubs)) if stubs.exists() else StubRequest()
    return run_task(RunRequest(PEERS / f"{name}.yaml", folder / "c", inputs=inputs, stub=stub))


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_there_are_twelve_and_each_is_run() -> None:
    assert len(OUTPUTS) >= 12
    assert {path.stem for path in FILES} == OUTPUTS.keys() | PARTS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_valid_without_a_warning(path: Path) -> None:
    workflow, problems = check_file(path)
    assert problems == []
    assert workflow is not None


@pytest.mark.parametrize("name", sorted(OUTPUTS))
def test_it_runs(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert (done.exit_code, done.outputs) == (0, OUTPUTS[name]), done.state.ending


def test_the_saga_undoes_what_was_done(tmp_path: Path) -> None:
    done = run("states_saga", tmp_path, shipping_works=False)
    assert done.exit_code == 1
    states = {key: step.status for key, step in done.state.steps.items()}
    assert (states["refund"], states["release"], states["confirm"]) == (
        "succeeded",
        "succeeded",
        "blocked",
    )


def test_the_diamond_goes_on_without_a_branch(tmp_path: Path) -> None:
    done = run("argo_diamond", tmp_path, c_works=False)
    assert (done.exit_code, done.outputs) == (0, "AB no C")
    assert done.state.step("mourn").status == "succeeded"


def test_the_load_that_fails_is_told_and_tidied_up(tmp_path: Path) -> None:
    done = run("dagu_etl", tmp_path, day="no number")
    assert done.exit_code == 0
    assert not Path(f"/tmp/agentrun-etl-{done.task_id}").exists()

"""`agentrun stats`, as a person and as a script meet it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKFLOW = """
name: flaky
steps:
  - id: s
    run: '[ -e f ] || { touch f; echo "curl: (7) Failed to connect: Connection refused" >&2; exit 7; }'
    retry: {delay: 10ms}
"""


def agentrun(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agentrun", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def with_a_task(folder: Path) -> Path:
    (folder / "w.yaml").write_text(WORKFLOW)
    assert agentrun(folder, "run", "w.yaml").returncode == 0
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_a_task(tmp_path_factory.mktemp("stats"))


def figures(folder: Path, *words: str) -> Any:
    done = agentrun(folder, "stats", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_figures_stand_beside_their_targets(folder: Path) -> None:
    text = agentrun(folder, "stats").stdout
    assert "1 task: 1 succeeded; 2 attempts, 1 failed" in text
    line = next(line for line in text.splitlines() if line.startswith("recovery success rate"))
    assert line.split()[3:] == ["100.0", "%", "≥", "95", "%", "met"]


def test_a_script_reads_them_per_workflow_and_day(folder: Path) -> None:
    found = figures(folder)
    assert found["metrics"]["retry_success_rate"]["value"] == 100
    assert found["counts"]["failures_by_kind"] == {"network": 1}
    (day,) = found["workflows"]["flaky"]["days"].values()
    assert day["counts"]["recovered"] == 1


def test_a_figure_without_anything_to_count_is_null(folder: Path) -> None:
    found = figures(folder, "no-such-workflow")
    assert found["counts"]["tasks"] == 0
    assert found["metrics"]["availability"] == {
        "value": None, "unit": "%", "target": 99.9, "better": "above", "met": None
    }  # fmt: skip


def test_tasks_that_are_older_are_left_out(folder: Path) -> None:
    assert figures(folder, "--since", "1h")["counts"]["tasks"] == 1
    assert figures(folder, "--since", "0s")["counts"]["tasks"] == 0


def test_a_wrong_duration_is_refused_with_an_example(folder: Path) -> None:
    done = agentrun(folder, "stats", "--since", "banana")
    assert done.returncode == 2
    assert "--since 7d" in done.stderr


def test_a_damaged_task_is_named_and_left_out(tmp_path: Path) -> None:
    (task,) = with_a_task(tmp_path).glob("checkpoints/flaky-*")
    for path in task.glob("journal*"):
        path.write_text("rubbish\n")
    for path in task.glob("snapshots/*"):
        path.unlink()
    done = agentrun(tmp_path, "stats")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"left out, damaged: {task.name}\n"


MADE_UP = """
name: made_up
inputs: {region: {type: string, default: eu}}
debugger: {}
steps: [{id: s, run: 'echo "to $REGION"'}, {id: t, run: exit 1}]
"""


def test_what_was_made_up_counts_nowhere(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MADE_UP)
    (tmp_path / "stubs.yaml").write_text("t: done\n")
    assert agentrun(tmp_path, "run", "m.yaml", "--stub", "stubs.yaml").returncode == 0
    told = figures(tmp_path)
    assert (told["counts"]["tasks"], told["stubbed"], told["workflows"]) == (0, 1, {})
    assert "left out, run with stubs: 1 task" in agentrun(tmp_path, "stats").stderr
    assert not (tmp_path / "checkpoints/.agentrun/history.json").exists()
    patterns = agentrun(tmp_path, "stats", "--patterns", "--json").stdout
    assert json.loads(patterns) == {"patterns": []}

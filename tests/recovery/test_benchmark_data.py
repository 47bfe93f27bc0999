"""The recovery benchmark's scenarios are data that a workflow can be made of."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrun.workflow.load import load_text

FOLDER = Path(__file__).parents[2] / "benchmarks" / "recovery" / "scenarios"
SCENARIOS: list[dict[str, Any]] = [
    line for path in sorted(FOLDER.glob("*.yaml")) for line in yaml.safe_load(path.read_text())
]


def test_there_are_enough_of_every_ending_and_no_name_twice() -> None:
    names = [scenario["name"] for scenario in SCENARIOS]
    assert len(names) == len(set(names)) >= 150
    assert {s["expect"] for s in SCENARIOS} == {
        "recovered", "continued", "halted", "parked", "escalated"
    }  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_each_is_a_valid_workflow(scenario: dict[str, Any], tmp_path: Path) -> None:
    keys = ("steps", "limits", "breakers", "env")
    workflow = {"name": "scenario"} | {key: scenario[key] for key in keys if key in scenario}
    for name, beside in scenario.get("files", {}).items():
        (tmp_path / name).write_text(beside)
    text = yaml.safe_dump(workflow).replace("@URL@", "http://127.0.0.1:1").replace("@PORT@", "1")
    load_text(text, tmp_path / "w.yaml")

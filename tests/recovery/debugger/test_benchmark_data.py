"""The benchmark's incidents are data that a workflow can be made of."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrun.workflow.load import load_text

FILE = Path(__file__).parents[3] / "benchmarks" / "debugger" / "incidents.yaml"
INCIDENTS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))


def test_there_are_enough_of_every_class_and_no_name_twice() -> None:
    names = [each["name"] for each in INCIDENTS]
    assert len(names) == len(set(names)) >= 80
    classes = Counter(each["class"] for each in INCIDENTS)
    wanted = {"environment", "parameter", "upstream", "schema", "flaky", "logic", "hostile"}
    assert set(classes) == wanted
    assert min(classes.values()) >= 5


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident["name"])
def test_each_is_a_valid_workflow(incident: dict[str, Any], tmp_path: Path) -> None:
    inputs = {n: {"type": "string", "default": v} for n, v in incident.get("inputs", {}).items()}
    workflow = {"name": "w", "inputs": inputs, "debugger": {}, "steps": incident["steps"]}
    load_text(yaml.safe_dump(workflow).replace("@PORT@", "1"), tmp_path / "w.yaml")

"""docs/workflow.md names every key, and its examples are valid without a warning."""

import re
from pathlib import Path

import pytest

import agentrun
from agentrun.steps import registry
from agentrun.workflow.kinds import yaml_keys
from agentrun.workflow.load import check_text
from agentrun.workflow.names import STEP_FIELDS
from agentrun.workflow.schema import COMMON_KEYS, WorkflowModel

DOCS = Path(agentrun.__file__).parents[1] / "docs" / "workflow.md"
TEXT = DOCS.read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid_without_a_warning(example: str) -> None:
    workflow, problems = check_text(example, Path("example.yaml"))
    assert problems == []
    assert workflow is not None


def test_every_key_is_named() -> None:
    keys = {each.alias or name for name, each in WorkflowModel.model_fields.items()} | COMMON_KEYS
    keys |= set(registry.built_in_names()) | set(STEP_FIELDS)
    for kind in ("http", "approval"):
        keys |= yaml_keys(kind).keys()
    missing = {key for key in keys if not re.search(rf"[`{{ .,]{key}[`,:}}\s.]", TEXT)}
    assert missing == set()

"""The schema for editors is current, and every example points to it and fits it."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from agentrun.workflow.json_schema import json_schema
from agentrun.workflow.yaml_source import parse

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "workflow.schema.json"
EXAMPLES = sorted(
    path
    for path in (ROOT / "workflows").rglob("*.yaml")
    if not {"checkpoints", "stubs"} & set(path.parts)
)


def test_the_schema_in_docs_is_what_the_command_prints() -> None:
    wanted = json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"
    assert SCHEMA.read_text() == wanted, "agentrun schema > docs/workflow.schema.json"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_points_to_the_schema_and_fits_it(path: Path) -> None:
    first = path.read_text().partition("\n")[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == SCHEMA
    source, _ = parse(path.read_text(), path.name)
    assert source is not None
    found = source.data
    errors = [e.message for e in jsonschema.Draft202012Validator(json_schema()).iter_errors(found)]
    assert errors == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 12
    assert os.path.getsize(SCHEMA) > 10_000

"""The editor's schema accepts what the loader accepts, and knows every key with a description."""

from typing import Any

import jsonschema
import pytest
import yaml

from agentrun.steps import registry
from agentrun.workflow.json_schema import json_schema
from agentrun.workflow.schema import COMMON_KEYS
from tests.workflow.loading import load
from tests.workflow.mistakes import MISTAKES
from tests.workflow.test_loading import SPEC_EXAMPLE

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def complaints(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_accepts_the_example_of_the_contract() -> None:
    load(SPEC_EXAMPLE)
    assert complaints(SPEC_EXAMPLE) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_it_accepts_every_corrected_mistake(mistake: Any) -> None:
    if "on:" in mistake.good or "2030-" in mistake.good:
        pytest.skip("YAML 1.1 of the test's own reader makes something else of it")
    assert complaints(mistake.good) == []


@pytest.mark.parametrize(
    "name", ["depends_on", "when", "two kinds", "no kind", "no id", "a hyphen in an id", "a rate without a unit",
             "a typing error in a key", "an agent's name mistyped", "attempts in retry", "jitter over one"],
)  # fmt: skip
def test_it_finds_what_an_editor_can_find(name: str) -> None:
    mistake = next(each for each in MISTAKES if each.name == name)
    assert complaints(mistake.bad)


def test_every_key_of_a_step_is_described() -> None:
    keys = SCHEMA["$defs"]["Step"]["properties"]
    assert keys.keys() >= COMMON_KEYS
    assert set(registry.built_in_names()) <= keys.keys()
    for key, each in {**keys, **SCHEMA["properties"]}.items():
        text = each.get("description") or _target(each).get("description") or _nested(each)
        assert text, key


def _target(each: dict[str, Any]) -> dict[str, Any]:
    return dict(SCHEMA["$defs"].get(each.get("$ref", "").removeprefix("#/$defs/"), {}))


def _nested(each: dict[str, Any]) -> str:
    return next((_target(one).get("description", "") for one in each.get("anyOf", [])), "")

"""Filters and tests that are handed on by name are looked up before anything runs."""

import pytest

from agentrun.workflow.expressions import ExpressionError, evaluate, references_of


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("inputs.x | select('endswith') | list", "there is no test `endswith`"),
        ("inputs.x | reject('deffined') | list", "did you mean `defined`?"),
        ("inputs.x | selectattr('a', 'equals', 1) | list", "there is no test `equals`"),
        ("inputs.x | rejectattr('a', 'nope') | list", "there is no test `nope`"),
        ("inputs.x | map('uper') | list", "did you mean `upper`?"),
        ("(inputs.x | map('nope') | list)[0] ~ 'x'", "there is no filter `nope`"),
    ],
)
def test_unknown_names_are_found_by_reading(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        references_of(source)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "source",
    [
        "['a'] | map('upper') | list",
        "[1] | select('defined') | list",
        "[{'a': 1}] | selectattr('a', 'equalto', 1) | list",
        "[{'a': 1}] | selectattr('a') | list",
        "[{'a': 1}] | map(attribute='a') | list",
        "[1] | select | list",
    ],
)
def test_known_ones_work(source: str) -> None:
    assert evaluate(source, {}) is not None

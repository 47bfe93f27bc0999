"""A project's own rules: what is accepted, what is refused and why."""

from typing import Any

import pytest

from agentrun.core.failure import Category, Evidence, Kind
from agentrun.failures.classify import classify
from agentrun.failures.custom import rule_from_mapping


def test_a_rule_on_text_and_exit_code_needs_both() -> None:
    rule = rule_from_mapping(
        {"id": "billing.down", "kind": "overloaded", "match": {"text": "ledger", "exit_code": 3}}
    )
    assert classify(Evidence("subprocess", "Ledger shut", exit_code=3), [rule]).rule == rule.id
    assert classify(Evidence("subprocess", "Ledger shut", exit_code=4), [rule]).rule != rule.id


def test_a_rule_may_override_the_category_and_say_what_to_do() -> None:
    rule = rule_from_mapping(
        {
            "kind": "network",
            "category": "fatal",
            "match": {"status": [502, 503]},
            "hint": "Call Ann.",
        }
    )
    verdict = classify(Evidence("http", "", status=503), [rule])
    assert (verdict.category, verdict.kind) == (Category.FATAL, Kind.NETWORK)
    assert (verdict.rule, rule.hint) == ("custom.network", "Call Ann.")


@pytest.mark.parametrize(
    ("match", "evidence"),
    [
        ({"exception": "OurError"}, Evidence("python", exception="pkg.mod.OurError")),
        ({"exception": "pkg.OurError"}, Evidence("python", exception="pkg.mod.OurError")),
        ({"exception": ["A", "B"]}, Evidence("python", exception="X", mro=("B",))),
        ({"signal": "USR1"}, Evidence("subprocess", signal="SIGUSR1")),
        ({"channel": "llm", "text": "^nope$"}, Evidence("llm", "a\nNOPE\nb")),
        ({"program": "mytool", "exit_code": 9}, Evidence("subprocess", command="mytool -x", exit_code=9)),
        ({"text": "busy", "unless": "not busy"}, Evidence("subprocess", "very busy", exit_code=1)),
    ],
)  # fmt: skip
def test_each_condition_matches_what_it_names(match: dict[str, Any], evidence: Evidence) -> None:
    rule = rule_from_mapping({"id": "ours.x", "kind": "lock", "match": match})
    assert classify(evidence, [rule]).rule == "ours.x"


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ({"match": {"text": "x"}}, "`kind` is None"),
        ({"kind": "networking", "match": {"text": "x"}}, "must be one of network"),
        ({"kind": "network"}, "`match` is missing"),
        ({"kind": "network", "match": {}}, "`match` is missing or empty"),
        ({"kind": "network", "match": {"txt": "x"}}, "did you mean `text`"),
        ({"kind": "network", "macth": {"text": "x"}}, "did you mean `match`"),
        ({"kind": "network", "match": {"text": "(x"}}, "not a regular expression"),
        ({"kind": "network", "match": {"text": "x*"}}, "matches the empty text"),
        ({"kind": "network", "match": {"text": "(a+)+$"}}, "repeats a repetition"),
        ({"kind": "network", "match": {"text": ""}}, "must be a text that is not empty"),
        ({"kind": "network", "match": {"text": "x" * 3000}}, "longer than 2000"),
        ({"kind": "network", "match": {"unless": "x"}}, "only `unless`"),
        ({"kind": "network", "match": {"status": 99}}, "whole number from 100 to 599"),
        ({"kind": "network", "match": {"status": "503"}}, "whole number"),
        ({"kind": "network", "match": {"status": True}}, "whole number"),
        ({"kind": "network", "match": {"status": []}}, "empty list"),
        ({"kind": "network", "match": {"exit_code": 1, "channel": "http"}}, "can never match"),
        ({"kind": "network", "match": {"signal": "NOPE"}}, "no such signal"),
        ({"kind": "network", "match": {"signal": 9}}, "must be a text"),
        ({"kind": "network", "category": "odd", "match": {"text": "x"}}, "`category` is 'odd'"),
        ({"kind": "network", "id": "", "match": {"text": "x"}}, "`id` is ''"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_reason(
    mapping: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        rule_from_mapping(mapping)
    assert complaint in str(refused.value)

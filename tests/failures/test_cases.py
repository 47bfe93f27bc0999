"""What real tools print, and what it means: one labelled failure a line in cases.jsonl."""

import json
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.failure import CATEGORY_OF, Category, Kind
from agentrun.failures.classify import classify
from agentrun.failures.evidence import from_jsonl

CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("cases.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_failure_gets_the_kind_that_its_words_mean(case: dict[str, Any]) -> None:
    verdict = classify(from_jsonl(case))
    assert (verdict.kind, verdict.rule) == (Kind(case["kind"]), verdict.rule)
    assert verdict.category == Category(case.get("category") or CATEGORY_OF[Kind(case["kind"])])


def test_the_cases_cover_every_kind_and_many_tools() -> None:
    assert {case["kind"] for case in CASES} == {kind.value for kind in Kind}
    assert len({case["id"].rsplit("-", 1)[0] for case in CASES}) > 60


def test_what_the_text_does_not_say_stays_unknown() -> None:
    for text in ("", "Something went wrong.", "exit 1", "failed", "error 429 items left over"):
        verdict = classify(from_jsonl({"exit_code": 1, "text": text}))
        assert verdict.kind is Kind.UNKNOWN, text
        assert verdict.category is Category.FATAL


@pytest.mark.parametrize(
    "text",
    [
        "processed 429 rows, 503 left",
        "listening on port 4290",
        "downloaded 401 files in 502 ms",
        "build 404 done, job 500 next",
        "commit 4031337",
    ],
)
def test_bare_digits_never_decide(text: str) -> None:
    assert classify(from_jsonl({"exit_code": 1, "text": text})).kind is Kind.UNKNOWN

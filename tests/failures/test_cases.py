"""What real tools print, and what it means: one labelled failure a line in cases.jsonl.

A line's `alt` names the other judgements `[category, kind]` that can be defended.
"""

import json
import time
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
    judged = (verdict.category.value, verdict.kind.value)
    if list(judged) not in case.get("alt", []):
        meant = Category(case.get("category") or CATEGORY_OF[Kind(case["kind"])])
        assert (*judged, verdict.rule) == (meant.value, case["kind"], verdict.rule)


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


COSTLY = {"auth", "quota", "security", "permission"}


def test_what_costs_money_or_locks_an_account_is_never_called_passing() -> None:
    passing = [
        case["id"]
        for case in CASES
        if case["kind"] in COSTLY
        and case.get("confidence", 1) >= 0.8
        and classify(from_jsonl(case)).category is Category.TRANSIENT
    ]
    assert not passing


@pytest.mark.parametrize("case", [case for case in CASES if case.get("retry_after_s")])
def test_a_stated_wait_is_read(case: dict[str, Any]) -> None:
    if "2026-12-01 10:00:00" not in case["text"]:  # a moment needs the time of reading
        read = classify(from_jsonl(case)).retry_after_s
        assert read == pytest.approx(case["retry_after_s"], abs=1)


@pytest.mark.parametrize(
    "piece",
    ["1", "a.", "/a/b.py:", "try again in 1h ", '"code": "', "invalid ", "~^", "[(", "A_B_", "ü"],
)
def test_a_hostile_text_takes_no_longer_than_another(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))
    begun = time.process_time()
    classify(from_jsonl({"exit_code": 1, "text": text}))
    assert time.process_time() - begun < 5

"""The rules as a body: sound, safe, cheap to load."""

import re
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings, strategies as st

from agentrun.core.failure import CATEGORY_OF, Evidence, Kind
from agentrun.failures.classify import builtin_rules, classify
from agentrun.failures.facts import facts_of
from agentrun.failures.hints import hint_for
from agentrun.failures.rules import SNIPPET_CHARS, Level, match

RULES = builtin_rules()


def test_every_rule_has_a_condition_and_a_name_with_its_domain() -> None:
    for rule in RULES:
        conditions = (
            rule.words, rule.pattern, rule.exit_codes, rule.signals, rule.statuses, rule.exception,
        )  # fmt: skip
        assert any(conditions), rule.id
        assert re.fullmatch(r"[\w-]+(\.[\w.-]+)?", rule.id), rule.id


def test_every_pattern_compiles() -> None:
    for rule in RULES:
        re.compile(rule.pattern)
        re.compile(rule.unless)
        re.compile(rule.exception)


def test_no_pattern_repeats_a_repetition() -> None:
    for rule in RULES:
        for pattern in (rule.pattern, rule.unless, rule.exception):
            assert not re.search(r"[^\\][+*]\)[+*]", pattern), rule.id


def test_words_are_lower_case_and_long_enough_to_mean_something() -> None:
    for rule in RULES:
        for word in filter(None, rule.words.split(" | ")):
            assert word == word.lower(), (rule.id, word)
            assert len(word.encode()) >= 4, (rule.id, word)


def test_no_rule_matches_silence() -> None:
    silence = facts_of(Evidence("subprocess"))
    assert [rule.id for rule in RULES if match(rule, silence) is not None] == []


def test_what_is_costly_to_misread_is_asked_first_within_a_level() -> None:
    kinds = [rule.kind for rule in RULES if rule.level is Level.SPECIFIC]
    assert max(i for i, kind in enumerate(kinds) if kind is Kind.QUOTA) < kinds.index(Kind.NETWORK)


EVIDENCE = st.builds(
    Evidence,
    channel=st.sampled_from(["subprocess", "python", "http", "llm"]),
    text=st.text(max_size=300),
    command=st.none() | st.text(max_size=30),
    exit_code=st.none() | st.integers(-300, 2**33),
    signal=st.none() | st.sampled_from(["SIGKILL", "9", "", "nonsense", "999"]),
    exception=st.none() | st.text(max_size=40),
    mro=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    causes=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    status=st.none() | st.integers(-1, 1000),
    headers=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3),
)


@given(EVIDENCE)
@settings(max_examples=150, deadline=None)
def test_any_evidence_gets_a_verdict_that_holds_together(evidence: Evidence) -> None:
    verdict = classify(evidence, now=1_800_000_000.0)
    rule = next((rule for rule in RULES if rule.id == verdict.rule), None)
    assert verdict.category == ((rule and rule.category) or CATEGORY_OF[verdict.kind])
    assert len(verdict.evidence) <= SNIPPET_CHARS
    assert verdict.retry_after_s is None or verdict.retry_after_s >= 0
    assert hint_for(verdict)


@given(EVIDENCE)
@settings(max_examples=50, deadline=None)
def test_the_same_evidence_gets_the_same_verdict(evidence: Evidence) -> None:
    assert classify(evidence) == classify(evidence)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "error: ",
        "12 tokens ",
        '{"code": ',
        "at x (",
        "File ",
        "'",
        "\\",
        "é",
        "1m",
        "../",
    ],
)
def test_time_grows_with_the_text_and_is_bounded(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    before = time.process_time()
    classify(Evidence("subprocess", text, exit_code=1), now=1_800_000_000.0)
    assert time.process_time() - before < 10


def test_importing_the_classifier_loads_nothing_heavy() -> None:
    heavy = ["pydantic", "typer", "rich", "yaml", "httpx2", "jinja2", "asyncio", "email.utils"]
    script = (
        f"import sys, agentrun.failures.classify; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_hints_fit_a_line_and_every_kind_has_one() -> None:
    for kind in Kind:
        verdict = classify(Evidence("subprocess", "", exit_code=1))
        hint = hint_for(type(verdict)(CATEGORY_OF[kind], kind, "any.rule", ""))
        assert hint
        assert len(hint) <= 80
        assert "\n" not in hint

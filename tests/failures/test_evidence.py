"""Evidence from exceptions of any library, and from JSON of any origin."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentrun.core.failure import Evidence
from agentrun.failures.evidence import from_jsonl

# JSON


def test_all_but_text_may_be_missing_or_null() -> None:
    keys = ["channel", "command", "exit_code", "signal", "exception", "mro", "status", "headers"]
    assert from_jsonl({"text": "x"}) == from_jsonl({"text": "x", **dict.fromkeys(keys)})


@pytest.mark.parametrize(
    ("entry", "channel"),
    [
        ({"exit_code": 1}, "subprocess"),
        ({"signal": 9, "status": 500}, "subprocess"),
        ({"exception": "ValueError", "status": 500}, "python"),
        ({"status": 500}, "http"),
        ({}, "subprocess"),
        ({"channel": "llm", "status": 500}, "llm"),
    ],
)
def test_a_missing_channel_is_told_from_the_other_keys(entry: dict[str, Any], channel: str) -> None:
    assert from_jsonl(entry).channel == channel


@pytest.mark.parametrize("given_as", [9, "9", "KILL", "SIGKILL", "sigkill", " kill "])
def test_a_signal_is_the_same_however_it_is_given(given_as: object) -> None:
    assert from_jsonl({"signal": given_as}).signal == "SIGKILL"


def test_keys_unknown_here_are_ignored() -> None:
    assert from_jsonl({"text": "x", "host": "a", "labels": [1]}) == from_jsonl({"text": "x"})


def test_headers_may_hold_numbers_and_lists() -> None:
    headers = from_jsonl({"headers": {"a": 5, "b": ["x", "y"], "c": None}}).headers
    assert headers == {"a": "5", "b": "x, y", "c": ""}


def test_a_command_may_be_a_list_of_words() -> None:
    assert from_jsonl({"command": ["git", "push"]}).command == "git push"


def test_a_whole_number_may_be_written_as_other_programs_write_it() -> None:
    evidence = from_jsonl({"exit_code": 1.0, "status": "503"})
    assert (evidence.exit_code, evidence.status) == (1, 503)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"text": 5}, "`text` is 5; it must be a text or null"),
        ({"exit_code": "one"}, "`exit_code` is 'one'"),
        ({"exit_code": True}, "`exit_code` is True"),
        ({"status": 4.5}, "`status` is 4.5"),
        ({"mro": "ValueError"}, "a list of texts"),
        ({"mro": [1]}, "a list of texts"),
        ({"headers": ["a"]}, "an object of texts"),
        ({"channel": "email"}, "one of subprocess, python, http, llm"),
        ({"signal": [9]}, "a number or a name"),
        ({"signal": 4000}, "no signal of that number"),
    ],
)
def test_a_wrong_type_is_named(entry: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        from_jsonl(entry)
    assert complaint in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "channel",
        "command",
        "exit_code",
        "signal",
        "exception",
        "mro",
        "causes",
        "status",
        "headers",
        "text",
    ]
)


@given(st.dictionaries(KEYS, JSON, max_size=10))
def test_any_json_is_evidence_or_a_value_error(entry: dict[str, object]) -> None:
    try:
        evidence = from_jsonl(entry)
    except ValueError:
        return
    assert isinstance(evidence, Evidence)

"""Evidence from exceptions of any library, and from JSON of any origin."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentrun.core.failure import Evidence, Kind
from agentrun.failures.classify import classify
from agentrun.failures.evidence import from_exception, from_jsonl


class ApiError(Exception):
    """As SDKs raise it: a status, headers and a body on the response."""

    def __init__(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"Error code: {status}")
        self.response = SimpleNamespace(status_code=status, text=body, headers=headers or {})


class RetryError(Exception):
    """As tenacity raises it."""

    def __init__(self, cause: Exception) -> None:
        self.last_attempt: Future[None] = Future()
        self.last_attempt.set_exception(cause)
        super().__init__("RetryError[<Future>]")


class Hostile(Exception):
    """Every question raises."""

    def __str__(self) -> str:
        raise RuntimeError

    @property
    def response(self) -> object:
        raise RuntimeError


def raised(exc: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise exc from cause  # noqa: TRY301 - raising is what makes a chain
    except BaseException as caught:
        return caught


def kind_of(exc: BaseException) -> Kind:
    return classify(from_exception(exc)).kind


def test_type_mro_and_text_are_kept() -> None:
    evidence = from_exception(raised(FileNotFoundError(2, "No such file or directory", "x.csv")))
    assert evidence.exception == "FileNotFoundError"
    assert evidence.mro == ("FileNotFoundError", "OSError", "Exception", "BaseException")
    assert "x.csv" in evidence.text


def test_the_explicit_cause_decides() -> None:
    wrapped = raised(RuntimeError("sync failed"), ConnectionRefusedError(111, "Connection refused"))
    assert from_exception(wrapped).causes == ("ConnectionRefusedError",)
    assert kind_of(wrapped) is Kind.NETWORK


def test_the_implicit_cause_is_seen_unless_it_was_cut_off() -> None:
    shown, hidden = RuntimeError("shown"), RuntimeError("hidden")
    shown.__context__ = hidden.__context__ = TimeoutError("slow")
    hidden.__suppress_context__ = True
    assert from_exception(shown).causes == ("TimeoutError",)
    assert from_exception(hidden).causes == ()


def test_a_group_shows_its_members() -> None:
    group = ExceptionGroup("tasks", [PermissionError(13, "Permission denied"), ValueError("x")])
    assert "PermissionError" in from_exception(group).causes
    assert kind_of(group) is Kind.PERMISSION


def test_a_retry_wrapper_is_looked_through() -> None:
    assert kind_of(RetryError(ConnectionRefusedError(111, "Connection refused"))) is Kind.NETWORK


def test_the_driver_error_behind_sqlalchemys_is_looked_at() -> None:
    outer = RuntimeError("(driver) failed")
    outer.orig = OSError(28, "No space left on device")  # type: ignore[attr-defined]
    assert kind_of(outer) is Kind.DISK_FULL


def test_the_reason_behind_a_urllib3_error_is_looked_at() -> None:
    outer = RuntimeError("max retries exceeded")
    outer.reason = ConnectionRefusedError(111, "Connection refused")  # type: ignore[attr-defined]
    assert kind_of(outer) is Kind.NETWORK


def test_an_exception_among_the_arguments_is_looked_at() -> None:
    assert kind_of(RuntimeError("aborted", ConnectionResetError(104, "reset"))) is Kind.NETWORK


def test_status_headers_and_body_of_a_response_are_read() -> None:
    body = '{"error": {"code": "insufficient_quota"}}'
    evidence = from_exception(ApiError(429, body, {"Retry-After": "5"}), channel="llm")
    assert (evidence.status, evidence.headers) == (429, {"Retry-After": "5"})
    assert classify(evidence).kind is Kind.QUOTA


def test_botocores_plain_dict_is_read() -> None:
    exc = RuntimeError("An error occurred")
    exc.response = {  # type: ignore[attr-defined]
        "ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {"x-amzn-requestid": "1"}}
    }
    evidence = from_exception(exc)
    assert (evidence.status, evidence.headers) == (503, {"x-amzn-requestid": "1"})


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert from_exception(first).causes == ("RuntimeError",)


def test_a_hostile_exception_is_no_second_failure() -> None:
    assert from_exception(Hostile()).exception.endswith("Hostile")  # type: ignore[union-attr]


def test_cancellation_is_cancelled() -> None:
    assert kind_of(asyncio.CancelledError()) is Kind.CANCELLED


def test_notes_are_part_of_the_text() -> None:
    exc = ValueError("x")
    exc.add_note("while reading part 7")
    assert "part 7" in from_exception(exc).text


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

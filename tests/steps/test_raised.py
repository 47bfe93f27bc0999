"""Evidence from exceptions of any library."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from agentrun.core.failure import Kind
from agentrun.failures.classify import classify
from agentrun.failures.effects import nothing_took_effect
from agentrun.steps.raised import evidence_of


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
    return classify(evidence_of(exc)).kind


def test_type_mro_and_text_are_kept() -> None:
    evidence = evidence_of(raised(FileNotFoundError(2, "No such file or directory", "x.csv")))
    assert evidence.exception == "FileNotFoundError"
    assert evidence.mro == ("FileNotFoundError", "OSError", "Exception", "BaseException")
    assert "x.csv" in evidence.text


def test_the_explicit_cause_decides() -> None:
    wrapped = raised(RuntimeError("sync failed"), ConnectionRefusedError(111, "Connection refused"))
    assert evidence_of(wrapped).causes == ("ConnectionRefusedError",)
    assert kind_of(wrapped) is Kind.NETWORK


def test_the_implicit_cause_is_seen_unless_it_was_cut_off() -> None:
    shown, hidden = RuntimeError("shown"), RuntimeError("hidden")
    shown.__context__ = hidden.__context__ = TimeoutError("slow")
    hidden.__suppress_context__ = True
    assert evidence_of(shown).causes == ("TimeoutError",)
    assert evidence_of(hidden).causes == ()


def test_a_group_shows_its_members() -> None:
    group = ExceptionGroup("tasks", [PermissionError(13, "Permission denied"), ValueError("x")])
    assert "PermissionError" in evidence_of(group).causes
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
    evidence = evidence_of(ApiError(429, body, {"Retry-After": "5"}), "llm")
    assert (evidence.status, evidence.headers) == (429, {"Retry-After": "5"})
    assert classify(evidence).kind is Kind.QUOTA


def test_botocores_plain_dict_is_read() -> None:
    exc = RuntimeError("An error occurred")
    exc.response = {  # type: ignore[attr-defined]
        "ResponseMetadata": {"HTTPStatusCode": 503, "HTTPHeaders": {"x-amzn-requestid": "1"}}
    }
    evidence = evidence_of(exc)
    assert (evidence.status, evidence.headers) == (503, {"x-amzn-requestid": "1"})


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert evidence_of(first).causes == ("RuntimeError",)


def test_a_hostile_exception_is_no_second_failure() -> None:
    assert evidence_of(Hostile()).exception.endswith("Hostile")  # type: ignore[union-attr]


def test_cancellation_is_cancelled() -> None:
    assert kind_of(asyncio.CancelledError()) is Kind.CANCELLED


def test_notes_are_part_of_the_text() -> None:
    exc = ValueError("x")
    exc.add_note("while reading part 7")
    assert "part 7" in evidence_of(exc).text


class NoArguments(Exception):
    args = None  # type: ignore[assignment]


class Unspeakable:
    def __repr__(self) -> str:
        raise ValueError


def with_attribute(name: str, value: object) -> BaseException:
    error = RuntimeError("x")
    setattr(error, name, value)
    return error


def cancelled() -> Future[None]:
    future: Future[None] = Future()
    future.cancel()
    return future


@pytest.mark.parametrize(
    "error",
    [
        NoArguments(),
        with_attribute("response", Mock(status_code=503)),
        with_attribute("headers", SimpleNamespace(items=lambda: ["a", "bcd"])),
        with_attribute("last_attempt", cancelled()),
        with_attribute("body", {"a": Unspeakable()}),
        with_attribute("body", ["x" * 1_000_000]),
        type("E", (Exception,), {"__module__": None})("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_it_holds_it_is_evidence(error: BaseException) -> None:
    assert len(evidence_of(raised(error)).text) < 1000


def test_what_was_handled_on_the_way_is_not_its_own() -> None:
    """It says nothing of what was done after it."""
    handled = ApiError(429, "slow down", {"Retry-After": "7200"})
    for error in (raised(RuntimeError("printer"), handled), RuntimeError("printer", handled)):
        evidence = evidence_of(error)
        assert (evidence.status, evidence.headers) == (None, {})
        assert not nothing_took_effect(evidence, classify(evidence))
    evidence = evidence_of(handled)
    assert nothing_took_effect(evidence, classify(evidence))


def test_a_body_that_was_not_read_is_not_read_now() -> None:
    class Stream:
        status_code = 503

        @property
        def text(self) -> Any:
            raise AssertionError("this may wait without end")

    assert evidence_of(with_attribute("response", Stream())).status == 503

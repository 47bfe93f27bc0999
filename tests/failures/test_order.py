"""Which evidence wins where several pieces speak."""

from typing import Any

import pytest

from agentrun.core.failure import Category, Evidence, Kind
from agentrun.failures.classify import classify
from agentrun.failures.evidence import from_jsonl
from agentrun.failures.rules import Level, Rule


def kind_of(**entry: Any) -> Kind:
    return classify(from_jsonl(entry)).kind


def test_an_empty_purse_beats_429() -> None:
    assert kind_of(channel="http", status=429, text='{"code": "insufficient_quota"}') is Kind.QUOTA


def test_a_request_too_large_for_the_limit_beats_429() -> None:
    text = "Request too large for gpt-x on tokens per min (TPM): Limit 30000, Requested 90000."
    assert kind_of(channel="llm", status=429, text=text) is Kind.CONTEXT_OVERFLOW


def test_a_full_memory_beats_500() -> None:
    text = "model requires more system memory (9 GiB) than is available (3 GiB)"
    assert kind_of(channel="llm", status=500, text=text) is Kind.OUT_OF_MEMORY


def test_a_wrong_key_beats_400() -> None:
    assert kind_of(channel="llm", status=400, text="API key not valid.") is Kind.AUTH


def test_a_bare_status_decides_when_nothing_else_speaks() -> None:
    assert kind_of(channel="http", status=503, text="") is Kind.OVERLOADED


def test_403_with_a_wait_is_a_rate_limit() -> None:
    headers = {"Retry-After": "60"}
    assert kind_of(channel="http", status=403, text="slow", headers=headers) is Kind.RATE_LIMIT


def test_403_with_nothing_remaining_is_a_rate_limit() -> None:
    headers = {"X-RateLimit-Remaining": "0"}
    assert kind_of(channel="http", status=403, text="", headers=headers) is Kind.RATE_LIMIT


def test_an_error_code_in_a_header_is_read() -> None:
    headers = {"x-amzn-ErrorType": "ThrottlingException:http://internal"}
    assert kind_of(channel="http", status=400, text="", headers=headers) is Kind.RATE_LIMIT


def test_a_stop_signal_beats_the_text() -> None:
    assert kind_of(exit_code=143, text="connection refused") is Kind.CANCELLED


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ({"signal": "SIGSEGV"}, Kind.CRASH),
        ({"signal": "11"}, Kind.CRASH),
        ({"exit_code": -11}, Kind.CRASH),
        ({"exit_code": 139}, Kind.CRASH),
        ({"exit_code": 137}, Kind.OUT_OF_MEMORY),
        ({"exit_code": -9}, Kind.OUT_OF_MEMORY),
        ({"signal": "KILL"}, Kind.OUT_OF_MEMORY),
        ({"signal": "SIGXCPU"}, Kind.TIMEOUT),
        ({"signal": "SIGXFSZ"}, Kind.DISK_FULL),
        ({"exit_code": 130}, Kind.CANCELLED),
        ({"exit_code": 3221225786}, Kind.CANCELLED),
        ({"exit_code": 124}, Kind.TIMEOUT),
        ({"exit_code": 126}, Kind.PERMISSION),
        ({"exit_code": 127}, Kind.MISSING_DEPENDENCY),
        ({"exit_code": 64}, Kind.INVALID_CONFIG),
        ({"exit_code": 65}, Kind.INPUT_FORMAT),
        ({"exit_code": 69}, Kind.OVERLOADED),
        ({"exit_code": 75}, Kind.OVERLOADED),
        ({"exit_code": 77}, Kind.PERMISSION),
        ({"exit_code": 1}, Kind.UNKNOWN),
        ({"exit_code": 2}, Kind.UNKNOWN),
    ],
)
def test_an_ending_without_text_speaks_for_itself(ending: dict[str, Any], kind: Kind) -> None:
    assert kind_of(text="", **ending) is kind


@pytest.mark.parametrize(
    ("command", "exit_code", "kind"),
    [
        ("curl -s https://x", 28, Kind.TIMEOUT),
        ("/usr/bin/curl -s https://x", 6, Kind.NETWORK),
        ("FOO=1 sudo rsync -a a b", 30, Kind.TIMEOUT),
        ("wget -q https://x", 5, Kind.SECURITY),
    ],
)
def test_a_silent_tool_is_judged_by_its_own_exit_codes(
    command: str, exit_code: int, kind: Kind
) -> None:
    assert kind_of(command=command, exit_code=exit_code, text="") is kind


def test_a_reclaimed_machine_is_stopped_but_worth_a_retry() -> None:
    text = "The runner has received a shutdown signal."
    verdict = classify(from_jsonl({"exit_code": 143, "text": text}))
    assert (verdict.category, verdict.kind) == (Category.TRANSIENT, Kind.CANCELLED)


def test_heap_exhaustion_beats_the_abort_it_ends_with() -> None:
    text = "FATAL ERROR: Reached heap limit - JavaScript heap out of memory"
    assert kind_of(exit_code=134, text=text) is Kind.OUT_OF_MEMORY


def test_a_failed_c_assert_is_the_codes_fault_though_it_aborts() -> None:
    text = "a.out: a.c:5: main: Assertion `x == 1' failed."
    assert kind_of(exit_code=134, text=text) is Kind.LOGIC


def test_the_wall_clock_is_not_a_person() -> None:
    assert kind_of(exit_code=124, text="Operation cancelled.") is Kind.TIMEOUT


def test_a_refused_connection_beats_what_pip_makes_of_it() -> None:
    text = (
        "WARNING: Retrying after connection broken by 'NewConnectionError(Connection refused)'\n"
        "ERROR: No matching distribution found for six"
    )
    assert kind_of(exit_code=1, text=text) is Kind.NETWORK


def test_words_wrapped_at_the_terminals_width_are_found() -> None:
    text = "litellm.NotFoundError: Project does not have \naccess to model x"
    assert kind_of(exit_code=1, text=text) is Kind.PERMISSION


def test_colours_hide_nothing() -> None:
    assert (
        kind_of(exit_code=1, text="\x1b[31msrc/a.c:3:5: error\x1b[0m: expected ';'") is Kind.LOGIC
    )


def test_stack_frames_are_not_read_as_words() -> None:
    text = (
        "TypeError: x is not a function\n"
        "    at retryOnTimeout (/app/node_modules/rate-limit/timeout.js:3:5)\n"
        "    at connectionRefused (/app/x.js:1:1)\n"
    )
    assert kind_of(exit_code=1, text=text) is Kind.LOGIC


def test_the_cause_behind_a_wrapper_decides() -> None:
    evidence = Evidence(
        "python",
        "tenacity.RetryError: RetryError[<Future>]",
        exception="tenacity.RetryError",
        causes=("ConnectionRefusedError",),
    )
    assert classify(evidence).kind is Kind.NETWORK


def test_extra_rules_are_asked_first_and_may_change_the_category() -> None:
    rule = Rule(
        "ours.closed",
        Kind.OVERLOADED,
        pattern="ledger is closed",
        category=Category.FATAL,
        level=Level.DECISIVE,
    )
    evidence = Evidence("subprocess", "connection refused: the ledger is closed", exit_code=1)
    verdict = classify(evidence, [rule])
    assert (verdict.rule, verdict.category) == ("ours.closed", Category.FATAL)


def test_a_verdict_shows_the_line_it_rests_on() -> None:
    text = "step 1 ok\nfatal: could not connect: Connection refused\nstep 3 skipped"
    verdict = classify(Evidence("subprocess", text, exit_code=1))
    assert "Connection refused" in verdict.evidence


def test_only_waits_of_passing_failures_are_reported() -> None:
    waits = classify(
        from_jsonl({"channel": "http", "status": 429, "text": "retry after 7 seconds"})
    )
    stays = classify(
        from_jsonl({"channel": "http", "status": 401, "text": "retry after 7 seconds"})
    )
    assert (waits.retry_after_s, stays.retry_after_s) == (7.0, None)

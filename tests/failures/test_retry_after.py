"""Every way in which a wait is stated."""

from datetime import UTC, datetime

import pytest

from agentrun.failures.retry_after import MAX_WAIT_S, parse_wait, retry_after_s

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("Please try again in 1m2.7264s.", 62.726),
        ("Please try again in 2.385s.", 2.385),
        ("Please try again in 120ms. Visit us", 0.12),
        ("Please try again in 6m0s.", 360),
        ("try again in 1h2m3s", 3723),
        ("Please retry after 26 seconds.", 26),
        ("Please retry after 86400 seconds", 86400),
        ("retry after 30", 30),
        ("Retry-After: 7", 7),
        ("wait 5 minutes and 3 seconds before", 303),
        ("Retrying in 4 hours", 14400),
        ('{"retryDelay": "38s"}', 38),
        ("'retryDelay': '12.5s'", 12.5),
        ("retry_delay { seconds: 41 }", 41),
        ('"resets_in_seconds": 3600', 3600),
        ('"retry_after": 2.5', 2.5),
        ('"retry_after_ms": 1500', 1.5),
        (f"usage limit reached|{int(NOW) + 60}", 60),
        (f'"resets_at":{int(NOW) + 90}', 90),
        ('"reset_time": "2026-11-23T12:00:05Z"', 5),
        ("resets 3pm", 3 * 3600),
        ("resets 3pm (UTC)", 3 * 3600),
        ("resets at 11am (UTC)", 23 * 3600),
        ("resets 12:50am (America/Los_Angeles)", 75000),
        ("resets 07:30 (Nowhere/Atlantis)", 19.5 * 3600),
        ("try again at 2:57 PM.", 10620),
        ("try again at Nov 24th, 2026 8:39 PM.", 117540),
        ("resets Nov 25 at 3pm (UTC)", 183600),
        ("You will regain access on 2026-12-01 at 00:00 UTC.", 648000),
        ("your limit will reset at 2026-11-23T13:00:00Z", 3600),
    ],
)
def test_a_wait_in_a_sentence_is_read(text: str, wait_s: float) -> None:
    assert retry_after_s(text, {}, NOW) == pytest.approx(wait_s, abs=0.001)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "try again later",
        "wait a few minutes before you try again",
        "retry after 3 attempts",
        "the server will reset 5 connections",
        "resets 25:99",
        "try again in 999999 days",
        "retryDelay: soon",
        "resets Feb 31 at 3pm (UTC)",
    ],
)
def test_what_names_no_wait_gives_none(text: str) -> None:
    assert retry_after_s(text, {}, NOW) is None


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 12:01:00 GMT"}, 60),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-reset-requests": "1m2s", "x-ratelimit-remaining-requests": "0"}, 62),
        ({"x-ratelimit-reset": str(int(NOW) + 10), "x-ratelimit-remaining": "0"}, 10),
        ({"x-ratelimit-reset": str((int(NOW) + 10) * 1000)}, 10),
        ({"anthropic-ratelimit-tokens-reset": "2026-11-23T12:00:30Z"}, 30),
    ],
)
def test_a_wait_in_a_header_is_read(headers: dict[str, str], wait_s: float) -> None:
    assert retry_after_s("", headers, NOW) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "soon"},
        {"retry-after": "-5"},
        {"retry-after": ""},
        {"retry-after": "9" * 400},
        {"x-ratelimit-reset-requests": "1m2s", "x-ratelimit-remaining-requests": "10"},
    ],
)
def test_a_header_that_names_no_wait_gives_none(headers: dict[str, str]) -> None:
    assert retry_after_s("", headers, NOW) is None


def test_of_two_exhausted_counters_the_later_one_counts() -> None:
    headers = {"x-ratelimit-reset-requests": "5s", "x-ratelimit-reset-tokens": "9s"}
    assert retry_after_s("", headers) == 9


def test_headers_come_before_the_text() -> None:
    assert retry_after_s("try again in 1s", {"retry-after": "5"}) == 5


def test_a_moment_is_measured_by_the_servers_own_clock() -> None:
    headers = {
        "date": "Mon, 23 Nov 2026 12:00:00 GMT",
        "retry-after": "Mon, 23 Nov 2026 12:02:00 GMT",
    }
    assert retry_after_s("", headers) == 120
    assert retry_after_s("", headers, NOW + 3600) == 120


def test_a_moment_without_any_clock_is_not_guessed() -> None:
    assert retry_after_s("resets 3pm") is None
    assert parse_wait("Mon, 23 Nov 2026 12:01:00 GMT") is None


def test_no_wait_is_longer_than_a_month() -> None:
    assert retry_after_s("", {"retry-after": str(int(MAX_WAIT_S) + 1)}) is None


def test_a_weekday_is_the_next_such_day() -> None:
    sunday_at_ten = 1795946400.0
    assert retry_after_s("resets Mon 12:00am (UTC)", {}, sunday_at_ten) == 14 * 3600
    assert retry_after_s("resets Sunday 9am (UTC)", {}, sunday_at_ten) == 7 * 86400 - 3600


def test_of_several_waits_the_last_one_counts() -> None:
    log = "Rate limited. Try again in 17 seconds.\nRate limited. Try again in 11 seconds."
    assert retry_after_s(log) == 11

"""The contract's chapter on failures and recovery, sentence by sentence, through the real command."""

import json
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.acceptance.conftest import PATIENCE_S, Shop

# What a command prints (or does) for each kind; the exit code where the words alone are not all.
SAYS = {
    "network": ("echo 'curl: (7) Failed to connect to h port 1: Connection refused' >&2; exit 7", "transient"),
    "timeout": ("echo 'Error: connect ETIMEDOUT 10.0.0.1:443' >&2; exit 1", "transient"),
    "rate_limit": ("echo 'HTTP 429 Too Many Requests' >&2; exit 1", "transient"),
    "overloaded": ("echo 'HTTP/1.1 503 Service Unavailable' >&2; exit 1", "transient"),
    "lock": ("echo 'sqlite3.OperationalError: database is locked' >&2; exit 1", "transient"),
    "input_format": ("echo \"UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte\" >&2; exit 1", "recoverable"),
    "context_overflow": ("echo 'prompt is too long: 250000 tokens > 200000 maximum' >&2; exit 1", "recoverable"),
    "missing_dependency": ("echo \"ModuleNotFoundError: No module named 'requests'\" >&2; exit 1", "recoverable"),
    "resource_conflict": ("echo 'Error: listen EADDRINUSE: address already in use :::3000' >&2; exit 1", "recoverable"),
    "disk_full": ("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", "recoverable"),
    "logic": ("echo 'FAILED tests/test_a.py::test_b - assert 1 == 2'; echo '=== 1 failed in 0.12s ==='; exit 1", "recoverable"),
    "auth": ("echo 'HTTP 401 Unauthorized: invalid api key' >&2; exit 1", "fatal"),
    "permission": ("echo 'bash: /etc/shadow: Permission denied' >&2; exit 1", "fatal"),
    "security": ("echo 'Host key verification failed.' >&2; exit 255", "fatal"),
    "quota": ("echo 'Error: insufficient_quota: You exceeded your current quota' >&2; exit 1", "fatal"),
    "not_found": ("cat /no/such/file", "fatal"),
    "invalid_config": ("ls --no-such-option-at-all", "fatal"),
    "crash": ("kill -SEGV $$", "fatal"),
    "out_of_memory": ("kill -KILL $$", "fatal"),
    "unknown": ("exit 9", "fatal"),
}  # fmt: skip
RETRIED = {
    "network", "timeout", "rate_limit", "overloaded", "lock", "input_format", "context_overflow",
    "missing_dependency", "resource_conflict", "disk_full", "unknown", "crash",
}  # fmt: skip


def steps(kinds: object, *more: str) -> str:
    """Write a workflow with a step for each kind that fails so, all at once."""
    text = "steps:\n"
    for kind in kinds:  # type: ignore[attr-defined]
        lines = ["needs: []", "continue_on_error: true", "run: |", f"  {SAYS[kind][0]}", *more]
        text += f"  - id: s_{kind}\n" + "".join(f"    {line}\n" for line in lines)
    return text


def attempts(shop: Shop, kind: str) -> int:
    return sum(each["step"] == f"s_{kind}" for each in shop.events("step_started"))


# --- categories and kinds -----------------------------------------------------------------------


def test_each_kind_has_its_category_and_says_which_rule_matched_on_what(shop: Shop) -> None:
    kinds = [kind for kind in SAYS if kind != "security"]
    ran = shop.run(steps(kinds, "retry: {max_attempts: 1}"))
    for kind in kinds:
        failure = shop.failure(ran, f"s_{kind}")
        assert (kind, failure["kind"], failure["category"]) == (kind, kind, SAYS[kind][1])
        assert failure["rule"], failure
        assert failure.get("evidence") or kind == "unknown"


def test_bare_digits_are_no_evidence(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - {id: a, run: "echo 'processed 429 items, 503 left, see port 401'; exit 1"}
    """)
    assert shop.failure(ran, "a")["kind"] == "unknown"


def test_structured_signals_come_before_words(shop: Shop, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("connection refused: timeout", status=401)
    ran = shop.run(f"steps: [{{id: a, http: '{httpserver.url_for('/')}'}}]")
    failure = shop.failure(ran, "a")
    assert (failure["kind"], failure["status"]) == ("auth", 401)


@pytest.mark.slow
def test_by_default_transient_has_3_attempts_recoverable_2_with_a_change_fatal_1(
    shop: Shop,
) -> None:
    shop.run(steps([kind for kind in SAYS if kind != "security"]), "--max-parallel", "20")
    for kind, (_, category) in SAYS.items():
        if category == "transient":
            assert attempts(shop, kind) == 3, kind
            waits = [
                each["delay_s"]
                for each in shop.events("retry_scheduled")
                if each["step"] == f"s_{kind}"
            ]
            assert 1 <= waits[0] <= 1.25
            assert 2 <= waits[1] <= 2.5
        elif category == "fatal" and kind != "security":
            assert attempts(shop, kind) == 1, kind
    assert attempts(shop, "logic") == 1
    changed = {each["step"] for each in shop.events("retry_scheduled") if each.get("adjustments")}
    assert "s_disk_full" in changed


def test_a_declared_retry_covers_transient_recoverable_unknown_and_crash(shop: Shop) -> None:
    kinds = [kind for kind in SAYS if kind != "security"]
    shop.run(steps(kinds, "retry: {max_attempts: 2, delay: 1ms}"), "--max-parallel", "20")
    assert {kind for kind in kinds if attempts(shop, kind) == 2} == RETRIED


def test_on_any_covers_everything_but_security_and_cancelled(shop: Shop) -> None:
    kinds = [kind for kind in SAYS if kind != "security"]
    text = steps(kinds, "retry: {max_attempts: 2, delay: 1ms, on: [any]}")
    shop.run(text, "--max-parallel", "20")
    assert {kind for kind in kinds if attempts(shop, kind) == 2} == set(kinds)
    ran = shop.run(steps(["security"], "retry: {max_attempts: 2, delay: 1ms, on: [any]}"))
    assert (ran.code, attempts(shop, "security")) == (1, 1)


def test_on_names_categories_or_kinds(shop: Shop) -> None:
    kinds = ["network", "lock", "auth", "unknown"]
    shop.run(steps(kinds, "retry: {max_attempts: 2, delay: 1ms, on: [network, fatal]}"))
    assert {kind: attempts(shop, kind) for kind in kinds} == {
        "network": 2, "lock": 1, "auth": 2, "unknown": 2,
    }  # fmt: skip


# --- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["network", "lock", "overloaded", "rate_limit", "timeout"])
def test_a_transient_failure_that_used_up_its_attempts_parks_with_75(shop: Shop, kind: str) -> None:
    text = f"""
        steps:
          - id: s
            retry: {{max_attempts: 2, delay: 1ms}}
            run: |
              echo x >> n; test ! -e good || exit 0
              {SAYS[kind][0]}
          - {{id: t, run: echo end}}
    """
    ran = shop.run(text)
    assert (ran.code, ran.json["status"], ran.json["exit_code"]) == (75, "paused", 75)
    assert ran.json["error"]["kind"] == kind
    assert ran.json["next"].startswith("agentrun resume")
    (shop.folder / "good").touch()
    done = shop.resume(ran)
    assert (done.code, done.json["outputs"], len(shop.lines("n"))) == (0, "end", 3)


def test_a_resume_of_a_failed_task_grants_a_fresh_set_recorded_as_such(shop: Shop) -> None:
    ran = shop.run(
        "steps: [{id: a, run: echo x >> n; exit 9, retry: {max_attempts: 2, delay: 1ms}}]"
    )
    assert (ran.code, len(shop.lines("n"))) == (1, 2)
    again = shop.resume(ran)
    assert (again.code, len(shop.lines("n"))) == (1, 4)
    assert shop.events("attempts_granted")


@pytest.mark.parametrize("words", [
    "You have hit your usage limit. Try again in 3 hours.",
    "Claude AI usage limit reached|SECONDS",
    "insufficient_quota: quota exceeded, resets at DATE",
])  # fmt: skip
def test_a_quota_with_a_known_reset_time_parks_with_75(shop: Shop, words: str) -> None:
    reset = int(time.time()) + 7200
    date = time.strftime("%FT%TZ", time.gmtime(reset))
    ran = shop.run(f"""
        steps:
          - id: a
            run: |
              echo '{words.replace("SECONDS", str(reset)).replace("DATE", date)}' >&2; exit 1
    """)
    assert shop.failure(ran, "a")["kind"] == "quota"
    assert (ran.code, ran.json["status"]) == (75, "paused")


@pytest.mark.parametrize("kind", ["quota", "auth", "permission", "not_found", "unknown", "crash", "logic"])  # fmt: skip
def test_a_fatal_failure_halts_with_the_reason(shop: Shop, kind: str) -> None:
    ran = shop.run(
        f"steps:\n  - id: s\n    run: |\n      {SAYS[kind][0]}\n  - {{id: t, run: touch t}}\n"
    )
    assert (ran.code, ran.json["status"], ran.json["error"]["kind"]) == (1, "failed", kind)
    assert ran.json["error"]["message"]
    assert ran.json["steps"]["t"]["status"] == "blocked"


def test_security_halts_the_whole_task(shop: Shop) -> None:
    ran = shop.run(f"""
        steps:
          - {{id: long, needs: [], run: sleep 20; touch long}}
          - id: bad
            needs: []
            continue_on_error: true
            fallback: [{{run: touch fallback}}]
            run: |
              sleep 0.2; {SAYS["security"][0]}
          - {{id: more, needs: [], if: always(), run: sleep 20; touch more}}
          - {{id: last, needs: [more], run: touch last}}
    """)
    assert (ran.code, ran.json["error"]["kind"]) == (1, "security")
    assert not any((shop.folder / name).exists() for name in ("long", "fallback", "more", "last"))


def test_attempts_are_shown_as_attempt_2_of_3(shop: Shop) -> None:
    ran = shop.run("steps: [{id: a, run: test $AGENTRUN_ATTEMPT = 2, retry: {delay: 1ms}}]")
    assert "attempt 2 of 3" in ran.err


def test_output_format_is_retried_with_a_change_twice_and_then_the_fallback(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            run: echo x >> n; echo "no json"
            output: json
            fallback: [{run: 'echo "{}"'}]
    """)
    assert (ran.code, ran.json["outputs"], len(shop.lines("n"))) == (0, {}, 2)


# --- retry: -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "waits"), [
    ("backoff: exponential, factor: 3", [0.01, 0.03, 0.09]),
    ("backoff: linear", [0.01, 0.02, 0.03]),
    ("backoff: fixed", [0.01, 0.01, 0.01]),
    ("factor: 3, max_delay: 20ms", [0.01, 0.02, 0.02]),
])  # fmt: skip
@pytest.mark.parametrize("jitter", ["", ", jitter: 0", ", jitter: 1"])
def test_waits_grow_as_told_with_jitter_on_top(
    shop: Shop, keys: str, waits: list[float], jitter: str
) -> None:
    shop.run(f"steps: [{{id: a, run: exit 9, retry: {{max_attempts: 4, delay: 10ms, {keys}{jitter}}}}}]")  # fmt: skip
    share = {"": 0.25, ", jitter: 0": 0.0, ", jitter: 1": 1.0}[jitter]
    seen = [each["delay_s"] for each in shop.events("retry_scheduled")]
    assert len(seen) == 3
    for wait, told in zip(seen, waits, strict=True):
        assert told - 1e-6 <= wait <= told * (1 + share) + 1e-6


@pytest.mark.slow
def test_retry_after_is_a_floor(shop: Shop, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data(
        "", status=503, headers={"Retry-After": "1"}
    )
    httpserver.expect_ordered_request("/").respond_with_data("fine")
    ran = shop.run(f"steps: [{{id: a, http: '{httpserver.url_for('/')}', retry: {{delay: 1ms}}}}]")
    assert (ran.code, ran.json["outputs"]) == (0, "fine")
    assert shop.events("retry_scheduled")[0]["delay_s"] >= 0.9


@pytest.mark.slow
def test_a_rate_limit_makes_all_steps_of_the_component_wait(
    shop: Shop, httpserver: HTTPServer
) -> None:
    httpserver.expect_ordered_request("/").respond_with_data(
        "", status=429, headers={"Retry-After": "1"}
    )
    for _ in range(2):
        httpserver.expect_ordered_request("/").respond_with_data("fine")
    url = httpserver.url_for("/")
    began = time.monotonic()
    ran = shop.run(f"""
        steps:
          - {{id: a, http: "{url}"}}
          - {{id: b, needs: [w], http: "{url}"}}
          - {{id: w, needs: [], run: until grep -q step_failed events; do sleep 0.02; done}}
    """)
    assert ran.code == 0, ran.err
    assert time.monotonic() - began > 1
    started = [each for each in shop.events("step_started") if each["step"] == "b"]
    failed = shop.events("step_failed")[0]
    assert started[0]["time"] > failed["time"]


def test_a_crash_refills_nothing(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        steps:
          - id: a
            run: |
              echo $AGENTRUN_ATTEMPT >> n
              if [ $AGENTRUN_ATTEMPT = 2 ] && [ ! -e waited ]; then touch waited; sleep 60; fi
              exit 9
            retry: {max_attempts: 3, delay: 1ms}
    """,
    )
    process = shop.start("run", "flow.yaml", "--task-id", "t")
    shop.until((shop.folder / "waited").exists, process)
    process.kill()
    process.wait()
    assert shop("resume", "t").code == 1
    # the attempt that was cut off is numbered, not charged: 1, 2 (cut off), 3, 4
    assert shop.lines("n") == ["1", "2", "3", "4"]


# --- on_error -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("match", "then", "code", "n"), [
    ("{exit_code: 9}", "retry", 1, 3),
    ("{exit_code: [8, 9]}", "fail", 1, 1),
    ("{kind: unknown}", "fallback", 0, 1),
    ("{kind: [auth, unknown]}", "continue", 0, 1),
    ("{category: fatal}", "continue", 0, 1),
    ("{text: 'w[oO]rds'}", "continue", 0, 1),
    ("{text: other}", "continue", 0, 2),
    ("{exit_code: 9}", "adjust", 1, 1),
    ("{exit_code: 9}", "debug", 1, 1),
])  # fmt: skip
def test_on_error_matches_and_acts(shop: Shop, match: str, then: str, code: int, n: int) -> None:
    fallback = "fallback: [{run: echo other way}]" if code == 0 else "fallback: []"
    ran = shop.run(f"""
        steps:
          - id: a
            run: echo x >> n; echo 'some words' >&2; exit 9
            retry: {{max_attempts: {3 if then == "retry" else 2}, delay: 1ms}}
            on_error: [{{match: {match}, then: {then}}}]
            {fallback}
          - {{id: b, run: echo b}}
    """)
    assert (ran.code, len(shop.lines("n"))) == (code, n), ran.err


def test_on_error_matches_a_status(shop: Shop, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=418)
    url = httpserver.url_for("/")
    ran = shop.run(f"""
        defaults: {{on_error: [{{match: {{status: 418}}, then: continue}}]}}
        steps: [{{id: a, http: "{url}"}}, {{id: b, run: echo b}}]
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "b")


@pytest.mark.parametrize("step", [
    "run: \"echo 'HTTP/1.1 418 I am a teapot' >&2; exit 22\"",
    "python: m.py:f",
])  # fmt: skip
def test_on_error_matches_a_status_that_a_program_tells(shop: Shop, step: str) -> None:
    shop.write(
        "m.py",
        """
        class Refused(Exception):
            status_code = 418
        def f(): raise Refused("no")
    """,
    )
    ran = shop.run(f"""
        steps:
          - id: a
            {step}
            on_error: [{{match: {{status: 418}}, then: continue}}]
    """)
    assert ran.code == 0, ran.err


def test_of_on_error_the_first_match_wins(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            run: exit 9
            on_error:
              - {match: {exit_code: 8}, then: fail}
              - {match: {exit_code: 9}, then: continue}
              - {match: {category: fatal}, then: fail}
    """)
    assert ran.code == 0


# --- one owner of retries -----------------------------------------------------------------------


def test_retries_of_agent_clis_are_turned_off(shop: Shop) -> None:
    shop.claude("ok")
    assert shop.run("steps: [{id: a, agent: {cli: claude, prompt: hi}}]").code == 0
    assert "CLAUDE_CODE_MAX_RETRIES=0" in shop.lines("bin/env.1")


# --- adjustment ---------------------------------------------------------------------------------


def changes(shop: Shop) -> list[dict[str, object]]:
    return [
        change for each in shop.events("retry_scheduled") for change in each.get("adjustments", ())
    ]


def test_broken_json_is_repaired_visibly(shop: Shop) -> None:
    ran = shop.run("""
        steps: [{id: a, run: "echo \\"Sure! {'a': 1,}\\"", output: json}]
    """)
    assert (ran.code, ran.json["outputs"]) == (0, {"a": 1})
    assert shop.events("step_succeeded")[0].get("repairs")


def test_a_timeout_is_doubled_visibly(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            timeout: 1s
            retry: {delay: 1ms}
            run: test ! -e begun || { echo ok; exit; }; touch begun; sleep 60
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "ok")
    assert changes(shop)[0]["change"] == {"timeout_s": 2.0}
    assert "timeout 2 s instead of 1 s" in ran.err


def test_a_prompt_that_is_too_long_is_cut_visibly(shop: Shop) -> None:
    shop.program(
        "claude",
        """
        #!/bin/sh
        n=$(wc -c | tr -d ' '); echo $n >> sizes
        if [ $n -gt 6000 ]; then
          echo '{"type":"result","subtype":"success","is_error":true,"result":"Prompt is too long","session_id":"s"}'; exit 1
        fi
        echo '{"type":"result","subtype":"success","is_error":false,"result":"ok","session_id":"s"}'
    """,
    )
    shop.write("flow.yaml", "")
    ran = shop.run(f"""
        steps:
          - id: a
            agent: {{cli: claude, prompt: "Sum up: {"word " * 2000}"}}
            retry: {{delay: 1ms}}
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "ok"), ran.err
    assert changes(shop)


def test_the_next_model_is_taken(shop: Shop) -> None:
    shop.program(
        "claude",
        """
        #!/bin/sh
        cat > /dev/null
        case "$*" in *big*) echo '{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"result":"API Error: 529 Overloaded","session_id":"s"}'; exit 1;; esac
        echo '{"type":"result","subtype":"success","is_error":false,"result":"small says ok","session_id":"s"}'
    """,
    )
    ran = shop.run("""
        steps: [{id: a, agent: {cli: claude, model: [big, small], prompt: hi}, retry: {max_attempts: 2, delay: 1ms}}]
    """)
    assert (ran.code, ran.json["outputs"]) == (0, "small says ok")
    assert "small" in json.dumps(changes(shop))


def test_concurrency_is_lowered_where_items_are_in_each_others_way(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            for_each: [1, 2, 3]
            run: |
              mkdir busy 2>/dev/null || { touch met; echo 'Error: listen EADDRINUSE: address already in use :::3000' >&2; exit 1; }
              until test -e met; do sleep 0.02; done
              rmdir busy; echo ok
            retry: {max_attempts: 2, delay: 1ms}
    """)
    assert (ran.code, ran.json["outputs"]) == (0, ["ok", "ok", "ok"]), ran.err
    assert changes(shop)


def test_a_declared_remedy_is_run(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            run: |
              test -e installed || { echo "ModuleNotFoundError: No module named 'requests'" >&2; exit 1; }
            remedies: [{match: {kind: missing_dependency}, run: touch installed}]
            retry: {delay: 1ms}
    """)
    assert ran.code == 0, ran.err
    assert "touch installed" in json.dumps(changes(shop))
    assert "touch installed" in ran.err


def test_input_is_cleaned(shop: Shop) -> None:
    ran = shop.run("""
        steps:
          - id: a
            stdin: "\\uFEFF{\\"a\\": 1}"
            run: python3 -c 'import json, sys; json.load(sys.stdin)'
            retry: {delay: 1ms}
    """)
    assert ran.code == 0, ran.err
    assert changes(shop)


# --- circuit breaker ----------------------------------------------------------------------------

BREAKS = """
    breakers: {api: {failures: 2, window: 1m, cooldown: %s}}
    steps:
      - id: call
        component: api
        run: |
          echo x >> calls; test ! -e good || exit 0
          echo 'curl: (7) Failed to connect to h port 1: Connection refused' >&2; exit 7
        retry: {max_attempts: %d, delay: 1ms}
"""


def test_a_breaker_is_shared_by_processes_and_open_for_long_parks_with_75(shop: Shop) -> None:
    first = shop.run(BREAKS % ("1h", 2))
    assert (first.code, len(shop.lines("calls"))) == (75, 2)
    second = shop("run", "flow.yaml", "--json")
    assert (second.code, second.json["status"]) == (75, "paused")
    assert len(shop.lines("calls")) == 2


@pytest.mark.slow
def test_a_breaker_that_is_open_for_short_is_waited_for_and_one_probe_closes_it(
    shop: Shop,
) -> None:
    shop.run(BREAKS % ("1s", 2))
    (shop.folder / "good").touch()
    both = [shop.start("run", "flow.yaml") for _ in range(2)]
    assert [each.wait(30) for each in both] == [0, 0]
    assert len(shop.lines("calls")) == 4


# --- Debugger -----------------------------------------------------------------------------------

NEEDS_FIX = """
    inputs: {region: {default: eu}}
    steps: [{id: a, run: 'echo "in $REGION"'}]
"""


def test_without_the_key_the_debugger_only_suggests_and_the_ending_stays_1(shop: Shop) -> None:
    ran = shop.run(NEEDS_FIX)
    assert ran.code == 1
    assert "REGION" in shop("debug", ran.id).out


def test_autofix_safe_applies_a_typed_fix_and_verifies_it(shop: Shop) -> None:
    ran = shop.run("debugger: {autofix: safe}" + NEEDS_FIX.replace("\n    ", "\n"))
    assert (ran.code, ran.json["outputs"]) == (0, "in eu"), ran.err


@pytest.mark.parametrize(("autofix", "code"), [("'off'", 1), ("suggest", 3)])
def test_autofix_off_and_suggest_apply_nothing(shop: Shop, autofix: str, code: int) -> None:
    ran = shop.run(f"debugger: {{autofix: {autofix}}}" + NEEDS_FIX.replace("\n    ", "\n"))
    assert ran.code in {code, 3}
    assert shop.events("step_started")[-1]["attempt"] == 1


def test_an_escalation_ends_with_3_and_a_report(shop: Shop) -> None:
    ran = shop.run("debugger: {}\nsteps: [{id: a, run: exit 9}]\n")
    assert (ran.code, ran.json["status"]) == (3, "paused")
    report = shop("debug", ran.id, "--report", "md")
    assert report.code == 0
    assert "exit code 9" in report.out


def test_the_debugger_asks_its_agent_too(shop: Shop) -> None:
    shop.claude("I do not know.")
    ran = shop.run("debugger: {agent: {cli: claude}}\nsteps: [{id: a, run: 'echo odd; exit 9'}]\n")
    assert ran.code == 3
    assert "odd" in shop.prompt()


# --- states and budgets -------------------------------------------------------------------------


def test_a_budget_holds_over_all_attempts_and_resumes(shop: Shop) -> None:
    shop.claude("ok")
    ran = shop.run("""
        budget: {tokens: 150}
        steps:
          - {id: a, agent: {cli: claude, prompt: one}}
          - {id: b, agent: {cli: claude, prompt: two}}
          - {id: c, agent: {cli: claude, prompt: three}}
    """)
    assert ran.code in {1, 3}
    assert ran.json["steps"]["a"]["status"] == "succeeded"
    assert not (shop.bin / "prompt.3").exists()
    assert "budget" in ran.err
    calls = len(list(shop.bin.glob("prompt.*")))
    shop.resume(ran)
    assert len(list(shop.bin.glob("prompt.*"))) == calls


def test_the_time_of_a_budget_stands_still_while_nobody_works_on_the_task(shop: Shop) -> None:
    """Neither the wait for an answer nor the time before a fork is work."""
    ran = shop.run("""
        budget: {time: 1s}
        steps: [{id: a, run: touch a}, {id: ok, approval: go?}, {id: b, run: echo b}]
    """)
    time.sleep(1.2)
    forked = shop("fork", ran.id, "--at", "3").out.strip()
    assert shop("approve", ran.id).code == 0
    assert f"agentrun resume {ran.id}" in shop("inspect", ran.id).out
    assert (shop("resume", ran.id).code, shop("resume", forked).code) == (0, 3)
    done = shop("resume", forked, "--answer", "ok=approve", "--json")
    assert (done.code, done.json["usage"]["duration_s"] < 1) == (0, True)


def test_a_task_is_cancelled_with_1(shop: Shop) -> None:
    shop.write("flow.yaml", "steps: [{id: a, run: touch begun; sleep 60}, {id: b, run: touch b}]")
    process = shop.start("run", "flow.yaml", "--task-id", "t")
    shop.until((shop.folder / "begun").exists, process)
    assert shop("cancel", "t").code == 0
    assert process.wait(PATIENCE_S) == 1
    told = shop("inspect", "t", "--json")
    assert told.json["status"] == "cancelled"
    assert told.json["steps"]["a"]["status"] in {"cancelled", "interrupted"}


@pytest.mark.parametrize("base", ["{base}", "${{{{ inputs.base }}}}"])
def test_the_component_of_an_http_step_is_its_host(
    shop: Shop, httpserver: HTTPServer, base: str
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=503)
    url = httpserver.url_for("/").replace("localhost", "127.0.0.1")
    ran = shop.run(f"""
        inputs: {{base: {{default: "{url}"}}}}
        breakers: {{127.0.0.1: {{failures: 2, cooldown: 1h}}}}
        steps:
          - {{id: a, http: "{base.format(base=url)}", retry: {{max_attempts: 5, delay: 1ms}}}}
    """)
    assert (ran.code, ran.json["steps"]["a"]["attempts"]) == (75, 2)


def test_the_component_of_an_agent_is_its_cli_and_of_a_command_its_program(shop: Shop) -> None:
    says = '{"type":"result","is_error":true,"api_error_status":503,"result":"no","session_id":"s"}'
    shop.program("claude", f"#!/bin/sh\ncat > /dev/null; echo '{says}'\n")
    shop.program("flaky", "#!/bin/sh\necho 'connect: Connection refused' >&2; exit 1\n")
    ran = shop.run("""
        defaults: {retry: {max_attempts: 5, delay: 1ms}}
        breakers: {claude: {failures: 2, cooldown: 1h}, flaky: {failures: 2, cooldown: 1h}}
        steps:
          - {id: a, needs: [], agent: {cli: claude, prompt: hi}}
          - {id: b, needs: [], run: flaky --now}
    """)
    assert ran.code == 75
    assert {key: value["attempts"] for key, value in ran.json["steps"].items()} == {"a": 2, "b": 2}


# --- interruptions ------------------------------------------------------------------------------

CUT_OFF = """
    steps:
      - id: a
        idempotent: %s
        run: echo $$ $AGENTRUN_IDEMPOTENCY_KEY >> n; test -e good || { touch begun; sleep 60; }; echo done
        retry: {max_attempts: 1}
"""


def cut_off(shop: Shop, how: signal.Signals, idempotent: str = "true") -> int:
    """Start a task, end it while its step runs, and let the step work from now on."""
    shop.write("flow.yaml", CUT_OFF % idempotent)
    process = shop.start("run", "flow.yaml", "--task-id", "t")
    shop.until((shop.folder / "begun").exists, process)
    process.send_signal(how)
    (shop.folder / "good").touch()
    return process.wait(PATIENCE_S)


def lives(pid: str) -> bool:
    """Return whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("how", "code"), [
    (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9),
])  # fmt: skip
def test_an_attempt_that_was_cut_off_is_numbered_but_not_charged(
    shop: Shop, how: signal.Signals, code: int
) -> None:
    assert cut_off(shop, how) == code
    if how is not signal.SIGKILL:
        assert shop("inspect", "t", "--json").json["status"] == "interrupted"
    done = shop("resume", "t", "--json")
    assert (done.code, done.json["outputs"]) == (0, "done")
    assert done.json["steps"]["a"]["attempts"] == 2
    (first, key), (second, same_key) = (line.split() for line in shop.lines("n"))
    assert (first != second, key) == (True, same_key)
    assert not lives(first)


@pytest.mark.parametrize(("answer", "n", "output"), [("--retry", 2, "done"), ("--skip", 1, None)])
def test_not_idempotent_and_cut_off_by_a_signal_asks_too(
    shop: Shop, answer: str, n: int, output: str | None
) -> None:
    assert cut_off(shop, signal.SIGTERM, "false") == 143
    asked = shop("resume", "t", "--json")
    assert (asked.code, len(shop.lines("n"))) == (3, 1)
    done = shop("resume", "t", answer, "a", "--json")
    assert (done.code, done.json["outputs"], len(shop.lines("n"))) == (0, output, n)


@pytest.mark.slow
def test_five_interruptions_in_a_row_pause_the_task_with_3(shop: Shop) -> None:
    shop.write("flow.yaml", "steps: [{id: a, run: echo x >> n; kill -9 $PPID; sleep 9}]")
    codes = [shop("run", "flow.yaml", "--task-id", "t").code]
    codes += [shop("resume", "t").code for _ in range(5)]
    assert codes == [-9] * 5 + [3]
    assert len(shop.lines("n")) == 5


def test_the_idempotency_key_is_new_after_a_fork(shop: Shop) -> None:
    ran = shop.run("steps: [{id: a, run: echo $AGENTRUN_IDEMPOTENCY_KEY >> keys; exit 9}]")
    copy = shop("fork", ran.id, "--json").json["task_id"]
    shop("resume", ran.id)
    shop("resume", copy)
    first, second, forked = shop.lines("keys")
    assert first == second
    assert first != forked


@pytest.mark.slow
def test_a_wait_before_a_retry_is_not_begun_anew_by_a_resume(shop: Shop) -> None:
    shop.write(
        "flow.yaml",
        """
        steps:
          - {id: a, run: echo x >> n; exit 9, retry: {max_attempts: 2, delay: 2s, jitter: 0}}
    """,
    )
    process = shop.start("run", "flow.yaml", "--task-id", "t", "--events", "events")
    shop.until(lambda: "retry_scheduled" in "".join(shop.lines("events")), process)
    due = shop.events("retry_scheduled")[0]["at"]
    process.kill()
    process.wait()
    assert shop("resume", "t", "--events", "again").code == 1
    assert len(shop.lines("n")) == 2
    again = {each["type"]: each for each in map(json.loads, shop.lines("again"))}
    assert datetime.fromisoformat(again["step_started"]["time"]).timestamp() >= due - 0.001
    assert "retry_scheduled" not in again

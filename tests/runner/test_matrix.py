"""Every common key on every kind: what means something works, all else is refused by the loader.

The table REFUSED is the promise; a pair that is not in it is run for real.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrun.core.failure import Kind
from agentrun.requests import Finished
from agentrun.steps import registry
from agentrun.workflow.problems import InvalidWorkflow
from agentrun.workflow.schema import COMMON_KEYS
from tests.runner.conftest import Desk
from tests.runner.kinds import answering, prepare, variants

KINDS = ("run", "agent", "python", "http", "workflow", "approval", "wait")

NOT_PERFORMED = {
    "until", "max_rounds", "idle_timeout", "retry", "on_error", "fallback", "checks", "output", "env",
    "cwd", "stdin", "with", "component", "idempotent", "remedies",
}  # fmt: skip
REFUSED: dict[str, set[str]] = {
    "run": {"with"},
    "agent": {"with"},
    "python": {"stdin"},
    "http": {"env", "cwd", "stdin", "with"},
    "workflow": {"idle_timeout", "stdin", "component", "idempotent", "remedies"},
    "approval": NOT_PERFORMED,
    "wait": NOT_PERFORMED | {"timeout"},
}
QUICK = {"max_attempts": 3, "delay": "10ms", "on": ["any"]}

Check = Callable[[Finished], object]


def outcome(done: Finished) -> tuple[int, str]:
    return done.exit_code, done.state.step("it").status


def worked(done: Finished) -> None:
    assert outcome(done) == (0, "succeeded"), done.state.step("it").failure


def failed_with(kind: Kind, rule: str = "") -> Check:
    def check(done: Finished) -> None:
        failure = done.state.step("it").failure
        assert failure is not None
        assert (failure.kind, done.exit_code in {1, 75}) == (kind, True), failure
        assert rule in failure.rule

    return check


def output_is(expected: object) -> Check:
    def check(done: Finished) -> None:
        worked(done)
        assert done.outputs == expected

    return check


def items(number: int) -> Check:
    def check(done: Finished) -> None:
        worked(done)
        assert len(done.outputs) == number

    return check


def holds(text: str) -> Check:
    def check(done: Finished) -> None:
        worked(done)
        assert text in done.outputs

    return check


def after_attempts(number: int) -> Check:
    def check(done: Finished) -> None:
        worked(done)
        assert done.state.step("it").attempts == number

    return check


def skipped(done: Finished) -> None:
    assert outcome(done) == (0, "skipped")


def failed_but_went_on(done: Finished) -> None:
    assert outcome(done) == (0, "failed")
    assert done.state.step("after").status == "succeeded"


def in_two_rounds(done: Finished) -> None:
    worked(done)
    assert done.state.step("it").round == 2


def out_of_rounds(done: Finished) -> None:
    failed_with(Kind.LOGIC, "until.max_rounds")(done)
    assert done.state.step("it").round == 2


# What a key is given, with which variant of the kind, and what must be seen.
CASES: dict[str, tuple[str, dict[str, Any], Check]] = {
    "id": ("ok", {}, worked),
    "name": ("ok", {"name": "A nice step"}, worked),
    "needs": ("ok", {"needs": ["first"]}, worked),
    "if": ("ok", {"if": "steps.first.output == 'no'"}, skipped),
    "for_each": ("ok", {"for_each": [1, 2]}, items(2)),
    "as": ("ok", {"for_each": ["x"], "as": "each", "if": "each == 'x'"}, worked),
    "max_parallel": ("ok", {"for_each": [1, 2, 3], "max_parallel": 1}, worked),
    "until": ("ok", {"until": "attempt.number == 2"}, in_two_rounds),
    "max_rounds": ("ok", {"until": "output == 'never'", "max_rounds": 2}, out_of_rounds),
    "timeout": (
        "slow",
        {"timeout": "300ms", "retry": {"max_attempts": 1}},
        failed_with(Kind.TIMEOUT, "step.timeout"),
    ),
    "idle_timeout": (
        "slow",
        {"idle_timeout": "300ms", "retry": {"max_attempts": 1}},
        failed_with(Kind.TIMEOUT, "step.timeout"),
    ),
    "retry": ("once", {"retry": QUICK}, after_attempts(2)),
    "on_error": ("never", {"on_error": [{"then": "continue"}]}, failed_but_went_on),
    "fallback": ("never", {"fallback": [{"run": "echo other"}]}, output_is("other")),
    "checks": ("ok", {"checks": ["true", "${{ output == 'bad' }}"]}, failed_with(Kind.LOGIC, "step.check")),
    "output": ("ok", {"output": "lines"}, output_is(["ok"])),
    "env": ("env", {"env": {"WHO": "${{ steps.first.output }}"}}, output_is("ann")),
    "cwd": ("cwd", {"cwd": "below"}, worked),
    "stdin": ("stdin", {"stdin": "fed"}, holds("fed")),
    "with": ("with", {"with": {"who": "${{ steps.first.output }}"}}, output_is("ann")),
    "component": ("ok", {"component": "mine"}, worked),
    "idempotent": ("ok", {"idempotent": False}, worked),
    "continue_on_error": ("never", {"continue_on_error": True}, failed_but_went_on),
    "remedies": (
        "once",
        {"remedies": [{"match": {"text": "."}, "run": "touch mark"}], "retry": QUICK},
        after_attempts(2),
    ),
}  # fmt: skip

SPECIAL: dict[tuple[str, str], tuple[str, dict[str, Any], Check]] = {
    ("approval", "timeout"): ("never", {}, failed_with(Kind.TIMEOUT, "approval.timeout")),
    # An answer that comes at once is over before its silence can be measured.
    ("python", "idle_timeout"): CASES["idle_timeout"],
}

PAIRS = [(kind, key) for kind in KINDS for key in sorted(CASES)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with answering() as address:
        yield address


def perform(desk: Desk, step: dict[str, Any]) -> Finished:
    """Run a step between two others, and answer whatever asks for an answer."""
    document = {
        "steps": [
            {"id": "first", "run": "echo ann"},
            {"id": "it", **step},
            {"id": "after", "run": "true"},
        ],
        "outputs": "${{ steps.it.output }}",
    }
    done = desk.run(json.dumps(document))
    for _ in range(3):
        waiting = [k for k, s in done.state.steps.items() if s.waiting == "approval"]
        if not waiting:
            break
        timed = done.state.step(waiting[0]).until is not None
        done = desk.resume(done, answers={} if timed else dict.fromkeys(waiting, "ok"))
    return done


def test_every_common_key_has_a_case() -> None:
    assert set(CASES) == COMMON_KEYS
    assert set(KINDS) == set(registry.built_in_names())


@pytest.mark.parametrize(("kind", "key"), [p for p in PAIRS if p[1] not in REFUSED[p[0]]])
def test_a_key_that_means_something_works(desk: Desk, server: str, kind: str, key: str) -> None:
    prepare(desk)
    variant, keys, check = SPECIAL.get((kind, key), CASES[key])
    offered = variants(server)[kind]
    part = offered.get(variant, offered["ok"])
    check(perform(desk, {**part, **_without_refused(kind, keys)}))


@pytest.mark.parametrize(("kind", "key"), [p for p in PAIRS if p[1] in REFUSED[p[0]]])
def test_a_key_that_means_nothing_is_refused(desk: Desk, server: str, kind: str, key: str) -> None:
    prepare(desk)
    _, keys, _ = CASES[key]
    with pytest.raises(InvalidWorkflow) as refused:
        perform(desk, {**variants(server)[kind]["ok"], **keys})
    assert f"`{key}` means nothing for `{kind}`" in str(refused.value)


@pytest.mark.parametrize(("kind", "key"), [p for p in PAIRS if p[1] in REFUSED[p[0]]])
def test_a_default_skips_the_kinds_for_which_it_means_nothing(
    desk: Desk, server: str, kind: str, key: str
) -> None:
    if key == "max_rounds":
        pytest.skip("it has no meaning alone")
    prepare(desk)
    value = CASES[key][1][key]
    path = desk.write(
        "w.yaml",
        json.dumps(
            {"defaults": {key: value}, "steps": [{"id": "it", **variants(server)[kind]["ok"]}]}
        ),
    )
    from agentrun.workflow.load import load_file

    [step] = load_file(path).steps
    bare = load_file(
        desk.write("w.yaml", json.dumps({"steps": [{"id": "it", **variants(server)[kind]["ok"]}]}))
    )
    assert step == bare.steps[0]


def _without_refused(kind: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only makes a case quicker, where the kind has no such key."""
    return {key: value for key, value in keys.items() if key not in REFUSED[kind]}


def test_the_cases_are_what_a_person_would_write() -> None:
    assert yaml.safe_load(yaml.safe_dump({k: c[1] for k, c in CASES.items()}))


def test_the_page_on_workflows_names_the_same_pairs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "workflow.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+` ?)+) \|$", page, re.MULTILINE))
    told = {kind: set(re.findall(r"`(\w+)`", rows[kind])) for kind in KINDS if kind != "wait"}
    assert told == {kind: keys for kind, keys in REFUSED.items() if kind != "wait"}
    assert "| `wait` | the same, and `timeout` |" in page

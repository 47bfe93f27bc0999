"""A file that is not a sane workflow is refused, in bounded time and memory, with its place."""

import time
from pathlib import Path

import pytest
import yaml

from agentrun.workflow.load import check_text
from agentrun.workflow.problems import Problem
from agentrun.workflow.source_file import MAX_BYTES
from agentrun.workflow.yaml_builder import MAX_DEPTH

GOOD = "steps:\n  - id: a\n    run: ls\n"


@pytest.fixture(params=["with libyaml", "without libyaml"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without libyaml":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


def only(data: bytes | str) -> Problem:
    workflow, problems = check_text(data, Path("flow.yaml"))
    assert workflow is None
    errors = [each for each in problems if each.severity == "error"]
    assert len(errors) == 1, errors
    return errors[0]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_a_yaml_bomb_is_refused_at_once() -> None:
    started = time.process_time()
    assert "aliases blow this file up" in only(bomb(9)).message
    assert time.process_time() - started < 20, "blown up, it takes minutes"


def test_a_bomb_of_text_is_refused() -> None:
    text = f"a: &a {'x' * 3_000_000}\nb: [*a, *a, *a, *a, *a, *a, *a, *a]\n"
    assert "aliases blow this file up" in only(text).message


def test_an_alias_to_itself_is_refused() -> None:
    assert "`*a` refers to itself" in only("steps: &a [*a]\n").message


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000, "a:\n" * 3 + "- " * 5000]
)
def test_deep_nesting_is_refused_before_anything_recurses(text: str) -> None:
    found = only(text)
    assert f"deeper than {MAX_DEPTH} levels" in found.message


def test_deep_nesting_through_aliases_is_refused() -> None:
    half = "[" * 40 + "x" + "]" * 40
    assert "deeper" in only(f"a: &a {half}\nb: {'[' * 40}*a{']' * 40}\n").message


def test_a_huge_file_is_refused_by_its_size() -> None:
    assert "larger than 4 MiB" in only(b"# " + b"x" * MAX_BYTES).message


def test_a_file_with_countless_values_is_refused() -> None:
    found = only("steps: [" + "a," * 300_000 + "]")
    assert "values" in found.message or "aliases" in found.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", "this is a binary file"),
        (b"PK\x03\x04\x00\x00", "this is a binary file"),
        (b"name: \xff\xfe\n", "byte 0xff is not UTF-8"),
        ("name: x\n".encode("utf-16"), "is not UTF-8"),
        (b"name: a\x07b\n", "the character U+0007 is not allowed"),
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"---\n", "the file is empty"),
        (b"null\n", "a workflow is a mapping, not empty"),
        (b"- a\n- b\n", "a workflow is a mapping, not a list"),
        (b"hello\n", "a workflow is a mapping, not text"),
        (b"%YAML 9.9\n---\nsteps: []\n", "YAML"),
    ],
)
def test_what_is_no_workflow_is_said_to_be_none(data: bytes, message: str) -> None:
    assert message in only(data).message


def test_a_second_document_is_refused_at_its_line() -> None:
    found = only(GOOD + "---\n" + GOOD)
    assert found.line == 4
    assert "a second document" in found.message


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!mine x",
        "!!set {a, b}",
    ],
)
def test_tags_are_refused_and_run_nothing(value: str) -> None:
    assert "the tag" in only(f"name: {value}\n").message


@pytest.mark.parametrize("key", ["? [a, b]\n: c\n", "{a: b}: c\n", "? {a: b}\n: c\n"])
def test_a_key_that_is_no_text_is_refused(key: str) -> None:
    assert "key" in only(key).message


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    data = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    workflow, problems = check_text(data, Path("flow.yaml"))
    assert workflow is not None, problems


def test_on_is_a_key_as_written() -> None:
    workflow, _ = check_text(GOOD + "    retry: {on: [network]}\n", Path("flow.yaml"))
    assert workflow is not None
    assert workflow.steps[0].retry is not None
    assert workflow.steps[0].retry.on == ("network",)


def test_a_merge_key_adds_what_is_missing() -> None:
    text = "steps:\n  - &base\n    id: a\n    run: ls\n    timeout: 3s\n  - <<: *base\n    id: b\n"
    workflow, problems = check_text(text, Path("flow.yaml"))
    assert workflow is not None, problems
    assert [(s.id, s.timeout_s) for s in workflow.steps] == [("a", 3.0), ("b", 3.0)]


@pytest.mark.parametrize(
    "raw", ["yes", "No", "ON", "off", "0o17", "0b1", "1_000", "12e45", ".inf", ".nan", "9" * 30]
)
def test_a_scalar_that_readers_dispute_is_refused_wherever_it_stands(raw: str) -> None:
    found = only(f"steps:\n  - id: a\n    python: m:f\n    with: {{x: {raw}}}\n")
    assert (found.line, found.column) == (4, 15)


def test_a_boolean_may_be_yes_where_a_boolean_is_meant() -> None:
    workflow, problems = check_text(
        GOOD + "    continue_on_error: yes\n    idempotent: off\n", Path("f.yaml")
    )
    assert workflow is not None, problems
    assert workflow.steps[0].continue_on_error
    assert not workflow.steps[0].idempotent


def test_a_date_stays_text_and_a_number_keeps_its_spelling_as_text() -> None:
    text = GOOD + "    env: {DAY: 2024-01-02, VERSION: 1.10, ON: true}\n"
    workflow, problems = check_text(text, Path("f.yaml"))
    assert workflow is not None, problems
    assert workflow.steps[0].env == {"DAY": "2024-01-02", "VERSION": "1.10", "ON": "true"}

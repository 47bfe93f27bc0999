"""A step's answer, read as its `output:` says."""

from typing import Any

import pytest

from agentrun.core.model import OutputSpec
from agentrun.steps.output import BadOutput, parse

TEXT, JSON, LINES = OutputSpec("text"), OutputSpec("json"), OutputSpec("lines")


def schema(**properties: Any) -> OutputSpec:
    return OutputSpec(
        "schema", {"type": "object", "properties": properties, "required": [*properties]}
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\n", "a"),
        ("a\n\n", "a\n"),
        ("a\r\n", "a"),
        ("a", "a"),
        ("", ""),
        ("\n", ""),
        ("a\r", "a\r"),
    ],
)
def test_text_loses_one_newline(raw: str, text: str) -> None:
    assert parse(raw, TEXT) == text


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, [1], True])
def test_a_value_that_is_no_text_is_taken_as_it_is(value: Any) -> None:
    assert parse(value, TEXT) == parse(value, JSON) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"a": 1}\n', {"a": 1}),
        ("  [1, 2]  ", [1, 2]),
        ("null", None),
        (str(10**60), 10**60),
        ("1e308", 1e308),
        ('Here it is:\n```json\n{"a": 1}\n```\nEnjoy.', {"a": 1}),
        ("```\n[1]\n```", [1]),
    ],
)
def test_json(raw: str, value: Any) -> None:
    assert parse(raw, JSON) == value


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ("", "expected JSON, got nothing"),
        ("{'a': 1}", "line 1, column 2, near \"{'a': 1}\""),
        ("NaN", "NaN is not JSON"),
        ("[Infinity]", "Infinity is not JSON"),
        ("1e999", "too large"),
        ("9" * 5000, "digits"),
        ("[" * 500 + "]" * 500, "nested deeper than 200"),
        ("[" * 100_000, "nested deeper than 200"),
        ('```json\n{"a": 1}\n```\nor\n```json\n{"a": 2}\n```', "not JSON"),
    ],
)
def test_what_is_not_json(raw: str, complaint: str) -> None:
    with pytest.raises(BadOutput) as raised:
        parse(raw, JSON)
    assert complaint in raised.value.message


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\r\nb", ["a", "b"]),
        ("", []),
        ("\n", [""]),
        ("a\n\nb\n", ["a", "", "b"]),
    ],
)
def test_lines(raw: str, lines: list[str]) -> None:
    assert parse(raw, LINES) == lines


def test_lines_of_a_function() -> None:
    assert parse(["a", "b"], LINES) == ["a", "b"]
    with pytest.raises(BadOutput, match="other things than strings"):
        parse(["a", 1], LINES)
    with pytest.raises(BadOutput, match="got an object"):
        parse({}, LINES)


def test_a_schema_names_every_mistake_and_where() -> None:
    spec = schema(
        label={"enum": ["bug", "feature"]}, score={"type": "number"}, tags={"type": "array"}
    )
    assert parse('{"label": "bug", "score": 1, "tags": []}', spec)["label"] == "bug"
    with pytest.raises(BadOutput) as raised:
        parse('{"label": "bgu", "score": "high"}', spec)
    assert raised.value.message.splitlines() == [
        "$: 'tags' is a required property",
        "$.label: 'bgu' is not one of ['bug', 'feature']",
        "$.score: 'high' is not of type 'number'",
    ]


def test_a_schema_holds_for_values_too() -> None:
    assert parse({"n": 1}, schema(n={"type": "integer"})) == {"n": 1}
    with pytest.raises(BadOutput, match="is not of type"):
        parse({"n": "x"}, schema(n={"type": "integer"}))


def test_many_and_long_complaints_are_cut() -> None:
    spec = OutputSpec("schema", {"type": "array", "items": {"type": "integer"}})
    with pytest.raises(BadOutput) as raised:
        parse(["x" * 10_000] * 100, spec)
    assert len(raised.value.message) < 8_000
    assert raised.value.message.endswith("and 80 more")


def test_a_schema_never_fetches() -> None:
    spec = OutputSpec("schema", {"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(BadOutput, match="refers to something that is not in it"):
        parse("{}", spec)


def test_a_schema_may_refer_to_itself() -> None:
    spec = OutputSpec("schema", {"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"})
    assert parse("3", spec) == 3


def test_a_schema_that_is_wrong_itself() -> None:
    with pytest.raises(BadOutput, match="the schema itself is wrong"):
        parse("{}", OutputSpec("schema", {"type": "nonsense"}))

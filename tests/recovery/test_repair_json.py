"""What is mended in an answer, and what is not touched."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentrun.core.model import OutputSpec
from agentrun.recovery.repair_json import repair
from agentrun.steps.output import parse

JSON = OutputSpec("json")


def mended(text: str, spec: OutputSpec = JSON) -> Any:
    found = repair(text, spec, parse)
    assert found is not None, text
    return found[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"a": 1,}\n```', {"a": 1}),
        ('Here it is: {"a": [1, 2,]} I hope it helps.', {"a": [1, 2]}),
        ('Result [see below]: {"a": 1,}', {"a": 1}),
        ('// first\n{"a": 1 /* one */}', {"a": 1}),
        ("{'a': 'it', 'b': None, 'c': True}", {"a": "it", "b": None, "c": True}),
        ("{a: 1}", {"a": 1}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a": "he said "hi" to me"}', {"a": 'he said "hi" to me'}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": {"b": "c"}', {"a": {"b": "c"}}),
        ('{"url": "http://x.y/z",}', {"url": "http://x.y/z"}),
        ("{'a': 'x } y', 'b': 1}", {"a": "x } y", "b": 1}),
        (
            "As Python: [{'q': 'use } to close'}, {'q': ':-]'}] (2 rows)",
            [{"q": "use } to close"}, {"q": ":-]"}],
        ),
        ("{'a': \"it's } ok\"}", {"a": "it's } ok"}),
        ("{“a”: “x } y”}", {"a": "x } y"}),
        ('<think>Maybe {"a": 2}?</think>\n\n{"a": 1}', {"a": 1}),
        ('{"a": "\\u00e9\\n \\"q\\"", "n": -1.50e-3,}', {"a": 'é\n "q"', "n": -0.0015}),
    ],
)
def test_what_only_the_form_lacks_is_mended(text: str, value: object) -> None:
    assert mended(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't help with that.",
        "",
        '{"a": 1}{"b": 2}',
        'Use {"x": 1} or {"y": 2}.',
        '```\n{"a": "b",}\n```\nor\n```json\n{"c": 1}\n```',
        '{"a": "cut in the mid',
        '{"a": 12',
        '{"a": [[] true]}',
        '{b: "\\" end." c: "x"}',
        '{"a": """, "b": "say "hi" "}',
        "{\"a\": 'it's'}",
        "{'a': 'cut in the mid",
        "{'a': 'x } y",
        "{'a': 1, 'b'",
        "['a]', 'b",
        "{“a”: “cut in } the mid",
        '<think>Is it {"a": 1}',
        '<think>Is it {"a": 1}</think>{"a": 2}{"a": 3}',
        '{"a": tru',
        '{"a": 1, "b"',
        '{"a": 1, "b": ',
        '{"items": [{"a": 1}, {"a": 2}',
        '["one", "two"',
        '{"a": [1, 2, 3, ...]}',
        '{"a": "x", ...}',
        '{"a": NaN}',
        '{"a": 0.1.2}',
    ],
)
def test_what_would_change_the_meaning_is_refused(text: str) -> None:
    assert repair(text, JSON, parse) is None


def test_the_repair_says_what_it_did() -> None:
    found = repair('Sure!\n```json\n{"a": 1, // one\n}\n```', JSON, parse)
    assert found is not None
    assert "fence" in found[1]
    assert "comments" in found[1]


def test_a_mended_value_must_still_fit_the_schema() -> None:
    schema = {"type": "object", "required": ["label"]}
    spec = OutputSpec("schema", schema)
    assert mended('{"label": "bug",}', spec) == {"label": "bug"}
    assert repair('{"name": "bug",}', spec, parse) is None


def test_a_text_is_never_mended() -> None:
    assert repair('{"a": 1,}', OutputSpec("text"), parse) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text("abc äö.,:{}[]'/#\n", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text("abc_", min_size=1), values, min_size=1, max_size=4))
def test_a_broken_form_is_mended_to_the_very_value_or_refused(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    for broken in (f"```json\n{text}\n```", f"Here: {text}", f"{text[:-1]},}}", repr(value)):
        found = repair(broken, JSON, parse)
        assert found is None or stripped(found[0]) == stripped(value)


def stripped(value: Any) -> Any:
    """The library drops white space at the ends of a text it had to guess."""
    return json.loads(re.sub(r'"(?:\\[ntr]|\s)+|(?:\\[ntr]|\s)+"', '"', json.dumps(value)))


@given(st.dictionaries(st.text("abc_", min_size=1), values, min_size=1, max_size=4), st.data())
def test_a_cut_answer_never_loses_content_silently(
    value: dict[str, Any], data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from([json.dumps(value, ensure_ascii=False), repr(value)]))
    cut = data.draw(st.integers(1, len(text)))
    found = repair(text[:cut], JSON, parse)
    if found is not None:
        missing = text[cut:].replace("}", "").strip()
        assert stripped(found[0]) == stripped(value) or missing.startswith(",")

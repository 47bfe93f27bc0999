"""libyaml only makes it faster: the same files are accepted, read alike, and refused alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from agentrun.workflow.yaml_source import parse
from tests.workflow.mistakes import MISTAKES

pytestmark = pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="there is no libyaml")

PIECES = st.sampled_from(
    ["a", "b c", ": ", ":", "- ", "-", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ",", "'", '"', "#", " # c",
     "|\n  ", ">-\n  ", "|", ">", "&x ", "*x", "!t ", "? ", "\t", "%", "@", "`", "\\", "\\n", "1", "no", "012", "~",
     "---\n", "...\n", "<<: ", "${{ x }}", "é", "\u2028", "\x85", "\r", "=", "k: v\n", "- i\n", "? k\n: v\n", "|2\n", "''"]
)  # fmt: skip


@contextmanager
def without_libyaml() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader")
        yield


def seen(text: str) -> Any:
    source, problems = parse(text, "f.yaml")
    places = (
        None if source is None else [(path, n.line, n.column) for path, n in source.surprises()]
    )
    return (source and source.data, places, problems)


@given(st.lists(PIECES, max_size=14).map("".join))
@settings(max_examples=1500, deadline=None)
def test_any_text_is_read_alike_with_and_without_libyaml(text: str) -> None:
    fast = seen(text)
    with without_libyaml():
        assert fast == seen(text)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_known_mistakes_are_read_alike(mistake: Any) -> None:
    for text in (mistake.bad, mistake.good):
        fast = seen(text)
        with without_libyaml():
            assert fast == seen(text)


@pytest.mark.parametrize("length", [1000, 1021, 1022, 1023, 1024, 1025, 1026, 1100])
@pytest.mark.parametrize(
    "form", ["{}: v\n", "{{{}: v}}\n", "'{}': v\n", "[{}: v]\n", "a:\n  {}: v\n"]
)
@pytest.mark.parametrize("letter", ["k", "é", "☃"])
def test_keys_at_the_limit_of_length_are_read_alike(length: int, form: str, letter: str) -> None:
    text = form.format(letter * length)
    fast = seen(text)
    with without_libyaml():
        assert fast == seen(text)

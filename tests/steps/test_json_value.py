"""Which Python values have a JSON form."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any

import pydantic
import pytest
from hypothesis import given, strategies as st

from agentrun.steps.json_value import to_json
from agentrun.steps.output import BadOutput


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    tags: tuple[str, ...] = ()


class Model(pydantic.BaseModel):
    when: dt.date
    point: list[float]


Pair = collections.namedtuple("Pair", "a b")  # noqa: PYI024 - such values exist
ID = uuid.UUID("6d2b4afe-a7cf-4b8e-8f0a-dd9ee0d166c8")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(scalars, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=20)


@given(values)
def test_json_values_stay_what_they_are(value: Any) -> None:
    assert to_json(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (Pair(1, 2), [1, 2]),
        (Point(1, ("a",)), {"x": 1, "tags": ["a"]}),
        (Model(when=dt.date(2024, 1, 2), point=[1.5]), {"when": "2024-01-02", "point": [1.5]}),
        (Colour.RED, "red"),
        ({Colour.RED: 1}, {"red": 1}),
        (enum.IntEnum("N", "ONE").ONE, 1),  # type: ignore[attr-defined]
        (dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC), "2024-01-02T03:00:00+00:00"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (ID, str(ID)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (type("Text", (str,), {})("t"), "t"),
    ],
)
def test_values_with_a_json_form(value: Any, expected: Any) -> None:
    got = to_json(value)
    assert got == expected
    assert json.loads(json.dumps(got)) == expected


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"a": [{1, 2}]}, "$.a[0]: a value of type set has no JSON form; return a sorted list"),
        (b"x", "$: a value of type bytes has no JSON form"),
        (float("inf"), "$: inf is not JSON"),
        ({1: "a"}, "$: the key 1 is of type int; JSON has only string keys"),
        (decimal.Decimal(1), "Decimal"),
        (object(), "type object"),
        (Point, "type type"),
        (iter([1]), "list_iterator"),
    ],
)
def test_values_without_one(value: Any, complaint: str) -> None:
    with pytest.raises(BadOutput) as raised:
        to_json(value)
    assert complaint in raised.value.message


def test_a_value_within_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(BadOutput, match="nested deeper than 200 levels, or within itself"):
        to_json(value)

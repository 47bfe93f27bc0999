"""No guise of a secret passes, however it is cut."""

import base64
import json
import urllib.parse
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from agentrun.steps.redact import Redactor

SECRET = "s3cr3t/ü+\"quoted\" & 'more'"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----\n"


def guises(secret: str) -> list[str]:
    data = secret.encode()
    found = [
        secret,
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
        base64.b64encode(b"user:" + data).decode(),
        base64.b64encode(b"u:" + data + b"\n").decode(),
        base64.b64encode(b"ab" + data + b"tail").decode(),
        data.hex(),
        data.hex().upper(),
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(json.dumps(secret)),
    ]
    return [f"before {guise} after" for guise in found]


@pytest.mark.parametrize("text", guises(SECRET))
def test_every_guise_is_replaced(text: str) -> None:
    clean = Redactor({"KEY": SECRET}).text(text)
    assert "[secret:KEY]" in clean
    # base64 of a neighbour may leave a character or two, which tell nothing
    assert len(clean) <= len("before [secret:KEY] after") + 14
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@given(st.lists(st.integers(0, 200)), st.sampled_from(guises(SECRET)))
def test_no_cut_lets_a_guise_pass(cuts: list[int], text: str) -> None:
    redactor = Redactor({"KEY": SECRET, "OTHER": "s3cr"})
    data = f"{text} {text}".encode()
    stream = redactor.stream()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    shown = b"".join(stream.feed(data[a:b]) for a, b in pairwise(edges))
    shown += stream.flush()
    assert shown.decode() == redactor.text(data.decode())


@given(st.text(max_size=200))
def test_other_texts_are_left_alone(text: str) -> None:
    redactor = Redactor({"KEY": "a-secret-of-some-length"})
    assert redactor.text(text) == text
    stream = redactor.stream()
    data = text.encode()
    shown = b"".join(stream.feed(data[i : i + 1]) for i in range(len(data))) + stream.flush()
    assert shown == data


def test_each_longer_line_of_a_secret_of_several_lines() -> None:
    clean = Redactor({"PEM": PEM}).text("> 9w0BAQEFAASCBKcwggSj <")
    assert clean == "> [secret:PEM] <"


def test_a_long_secret_stays_quick_in_pieces() -> None:
    key = "\n".join(["-----BEGIN KEY-----", *[f"{n:04}" * 16 for n in range(60)]])
    stream = Redactor({"PEM": key}).stream()
    data = b"x" * 65_536
    assert b"".join([stream.feed(data) for _ in range(20)]) + stream.flush() == data * 20


def test_a_secret_that_begins_with_another() -> None:
    redactor = Redactor({"SHORT": "abcdef", "LONG": "abcdefghij"})
    assert redactor.text("abcdefghij abcdef") == "[secret:LONG] [secret:SHORT]"
    stream = redactor.stream()
    shown = stream.feed(b"x abcdef") + stream.feed(b"ghij abcdef") + stream.flush()
    assert shown == b"x [secret:LONG] [secret:SHORT]"


def test_values() -> None:
    redactor = Redactor({"KEY": "hunter2"})
    value = {"a": ["x hunter2", 7, None, True, {"hunter2": 1.5}]}
    assert redactor.value(value) == {"a": ["x [secret:KEY]", 7, None, True, {"[secret:KEY]": 1.5}]}


def test_a_very_short_secret_is_replaced_only_as_a_whole_value() -> None:
    redactor = Redactor({"PIN": "123", "EMPTY": ""})
    assert redactor.too_short == ("PIN",)
    assert redactor.value(["123", "1234"]) == ["[secret:PIN]", "1234"]


def test_without_secrets_nothing_is_touched() -> None:
    redactor = Redactor({})
    value = {"a": ["b"]}
    assert redactor.value(value) is value
    data = b"data"
    assert redactor.stream().feed(data) is data
    assert not redactor


def test_lone_surrogates_survive() -> None:
    assert Redactor({"KEY": "hunter2"}).text("\udcff hunter2") == "\udcff [secret:KEY]"

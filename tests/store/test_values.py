"""Values: what goes in comes out, secrets stay off the disk, large ones stand once."""

import base64
import json
import math
from collections.abc import Mapping
from itertools import count
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agentrun.core.model import Json
from agentrun.core.value import NOTHING, Blob, Inline
from agentrun.errors import Damaged, UsageError
from agentrun.store.disk import Disk
from agentrun.store.secrets import Secrets
from agentrun.store.values import COPY, COPY_BYTES, ValueStore
from tests.store.faulty_disk import LUCKS, FaultySystem, Luck, PowerCut

SECRETS = {"TOKEN": 's3cr\\et "val/ue+ä', "KEY": "sk-abcdefgh12345", "PIN": "739152"}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), below, max_size=4)
    ),
    max_leaves=12,
)


def store(
    secrets: Mapping[str, str] = SECRETS, system: FaultySystem | None = None, limit: int = 4096
) -> ValueStore:
    system = system or FaultySystem()
    if not system.root.names:
        system.mkdir("/t", 0o700)
        system.mkdir("/t/blobs", 0o700)
    return ValueStore("/t", Disk(system), secrets, inline_limit=limit)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_comes_back(value: Json) -> None:
    values = store()
    assert values.get(values.put(value)) == value
    small = store(limit=0)
    assert small.get(small.put(value)) == value


@given(JSON, st.lists(st.sampled_from(list(SECRETS.values())), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_secrets_anywhere_come_back_and_reach_no_disk(value: Json, secrets: list[str]) -> None:
    system = FaultySystem()
    values = store(system=system, limit=0)
    holding = [value, {secrets[0]: value}, "".join(secrets), [f"a{secret}b" for secret in secrets]]
    put = values.put(holding)
    values.sync_staged()
    disk = b"".join(system.content(path) for path in system.paths())
    for secret in secrets:
        assert secret.encode() not in disk
        assert secret.replace("\\", "\\\\").replace('"', '\\"').encode() not in disk
    assert values.get(put) == holding
    assert store(system=system).get(put) == holding


@pytest.mark.parametrize("secret", SECRETS.values())
def test_encoded_secrets_come_back_and_reach_no_disk(secret: str) -> None:
    data = secret.encode()
    encoded = [
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower() if secret.islower() else quote(secret),
        data.hex(),
        data.hex().upper(),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
        base64.b64encode(b"x" + data + b"y").decode(),
        base64.b64encode(b"user:xx" + data).decode(),
        f'{{"nested": "{secret}"}}'.replace("\\", "\\\\"),
    ]
    values = store()
    put = values.put(encoded)
    assert isinstance(put, Inline)
    assert values.get(put) == encoded
    kept = repr(put.value)
    for text in encoded[:6]:
        assert text not in kept
    for text in encoded[6:10]:
        assert len(text) < 16 or text[4:-4] not in kept


def test_a_number_that_is_a_secret_comes_back_as_a_number() -> None:
    values = store()
    put = values.put({"pin": 739152, "near": 1739152, "text": "739152", "other": 1.5})
    assert isinstance(put, Inline)
    assert "739152" not in repr(put)
    assert values.get(put) == {"pin": 739152, "near": 1739152, "text": "739152", "other": 1.5}


def test_a_value_that_looks_like_a_placeholder_stays_what_it_is() -> None:
    values = store()
    value = ["[secret KEY]", SECRETS["KEY"], "[secret KEY #2]"]
    put = values.put(value)
    assert SECRETS["KEY"] not in repr(put)
    assert values.get(put) == value


def test_a_rotated_secret_is_resolved_to_its_new_value() -> None:
    put = store().put({"auth": f"Bearer {SECRETS['KEY']}"})
    assert store({"KEY": "new-value"}).get(put) == {"auth": "Bearer new-value"}


def test_a_secret_that_is_not_set_is_named() -> None:
    put = store().put(SECRETS["KEY"])
    with pytest.raises(UsageError, match="holds the secret KEY, which is not set"):
        store({}).get(put)


def test_free_text_of_events_is_redacted_and_nothing_else() -> None:
    secrets = Secrets({"A": "network", "KEY": SECRETS["KEY"]})
    body = b'{"kind":"network","message":"network sk-abcdefgh12345","answer":"network"}'
    assert secrets.scrub(body) == b'{"kind":"network","message":"*** ***","answer":"network"}'
    assert secrets.redact("a sk-abcdefgh12345 b") == "a *** b"


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ((1, 2), [1, 2]),
        (math.nan, None),
        ({1: 2}, {"1": 2}),
        (10**40, 10**40),
        (2**64, 2**64),
        ("half a pair: \ud83d", "half a pair: \ud83d"),
        ({"\udcff": ["\ud83d\ude00"]}, {"\udcff": ["\U0001f600"]}),
    ],
)
def test_what_is_not_quite_json_becomes_json(value: Json, back: Json) -> None:
    values = store()
    assert values.get(values.put(value)) == back


@pytest.mark.parametrize("value", [object(), {"a": {1, object()}}])
def test_what_is_no_json_is_told(value: Json) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store().put(value)


def test_deep_nesting_is_told() -> None:
    value: Json = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        store().put(value)


def test_a_large_value_is_written_once_and_shares_its_syncs() -> None:
    system = FaultySystem()
    values = store(system=system)
    puts = [values.put("x" * 9000), values.put("x" * 9000), values.put("y" * 9000)]
    assert puts[0] == puts[1] != puts[2]
    assert [values.get(put) for put in puts] == ["x" * 9000, "x" * 9000, "y" * 9000]
    values.sync_staged()
    assert system.trace.count("fsync") == 1
    assert system.trace.count("fdatasync") == 2, "a copy is not synced"
    assert len(system.paths()) == 2 * 2
    calls = system.calls
    values.put("x" * 9000)
    values.sync_staged()
    assert system.calls == calls


def test_a_damaged_blob_is_put_right_by_the_same_value() -> None:
    system = FaultySystem()
    values = store(system=system)
    put = values.put("x" * 9000)
    values.sync_staged()
    for path in system.paths():
        system.set_content(path, b"y" * 9002)
    again = store(system=system)
    with pytest.raises(Damaged, match="its content is not its name's"):
        again.get(put)
    again.put("x" * 9000)
    again.sync_staged()
    assert {system.content(path) for path in system.paths()} == {b'"' + b"x" * 9000 + b'"'}


def test_only_values_of_moderate_size_stand_twice() -> None:
    system = FaultySystem()
    values = store(system=system)
    put = values.put("x" * (COPY_BYTES - 2))
    values.sync_staged()
    assert len(system.paths()) == 2
    larger = values.put("x" * (COPY_BYTES - 1))
    values.sync_staged()
    assert len(system.paths()) == 3
    again = store(system=system)
    told: list[str] = []
    again.on_mend = told.append
    assert [len(again.get(each)) for each in (put, larger)] == [COPY_BYTES - 2, COPY_BYTES - 1]
    assert len(system.paths()) == 3


@pytest.mark.parametrize("luck", LUCKS)
def test_a_power_cut_leaves_no_copy_without_its_blob(luck: Luck) -> None:
    for at in count(1):
        system = FaultySystem()
        values = store(system=system)
        system.fsync(system.open("/", 0))
        system.fsync(system.open("/t", 0))
        puts = [values.put("x" * 9000), values.put("y" * 9000)]
        system.crash_at = system.calls + at
        try:
            values.sync_staged()
        except PowerCut:
            system = system.reboot(luck, seed=at)
            blobs = {path.partition(COPY)[0] for path in system.paths() if path.endswith(COPY)}
            again = store(system=system)
            for path in blobs:
                assert system.content(path) == again.text(path.rpartition("/")[2])
            continue
        rebooted = store(system=system.reboot(luck, seed=at))
        assert [rebooted.get(put) for put in puts] == ["x" * 9000, "y" * 9000]
        break


def test_a_blob_name_can_not_be_a_path() -> None:
    with pytest.raises(Damaged, match="no sha256"):
        store().get(Blob("../../../etc/passwd", 1))


def test_nothing_is_nothing() -> None:
    assert store().put(None) is NOTHING


@pytest.mark.parametrize(
    "secret", ["Pässwört-geheim", "plain-token", "p\udcffassword", 'a\nb"c\\d']
)
def test_a_secret_beside_what_is_no_utf_8_is_kept_off_the_disk(secret: str) -> None:
    system = FaultySystem()
    values = store({"TOKEN": secret}, system)
    value = {"cut": "emoji \ud83d", "token": f"<{secret}>"}
    kept = values.put(value)
    values.sync_staged()
    assert values.get(kept) == value
    for path in system.paths():
        text = system.content(path)
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form.encode("utf-8", "backslashreplace") not in text, path

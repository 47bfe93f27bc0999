"""What makes two failures the same, and what keeps them apart."""

import pytest
from msgspec import structs

from agentrun.core.failure import Kind
from agentrun.recovery.debugger.fingerprint import MAX_CHARS, fingerprint, masked
from tests.recovery.debugger.incidents import failure

SAME = [
    ("moment", "at 2026-11-23T10:00:01.5Z it broke", "at 2025-01-02 03:04:05,123+02:00 it broke"),
    ("time of day", "[10:11:12] gone", "[23:59:59.999] gone"),
    (
        "uuid",
        "row 6f1e3c1a-1b2c-4d5e-8f90-a1b2c3d4e5f6",
        "row 00000000-0000-0000-0000-000000000001",
    ),
    ("hash", "object deadbeef12345 not found", "object 0123456789abcdef0123456789abcdef not found"),
    ("pointer", "<Job at 0x7ff12a>", "<Job at 0x55>"),
    ("request id", "request req_01HZX8abcDEF failed", "request req_99ZZZ1qwerty failed"),
    ("address", "refused by 10.0.0.1:5432", "refused by 192.168.17.4:6000"),
    ("address of v6", "refused by [::1]:5432", "refused by [fe80::12:1]:6000"),
    ("temporary path", "cannot read /tmp/tmpab12/x.csv", "cannot read /tmp/pytest-of-me/7/y.csv"),
    ("path of a task", "see jobs-20261123-190542-2763/logs", "see jobs-20250101-000000-k3f9/logs"),
    ("number", "line 12: 3 of 1,000 rows, pid 999", "line 99: 4 of 2,500 rows, pid 1"),
    ("duration", "took 350ms", "took 1.25 s"),
    ("size", "used 512 MiB of 35%", "used 1.5GB of 99%"),
    ("white space", "a  b\n\tc", "a b c"),
    ("case", "Permission Denied", "permission denied"),
]

DIFFERENT = [
    ("KeyError: 'price'", "KeyError: 'name'"),
    ("No such file: orders.csv", "No such file: users.csv"),
    ("unknown option --fast", "unknown option --slow"),
    ("column a is missing", "column b is missing"),
    ("std::bad_alloc", "std::out_of_range"),
]


@pytest.mark.parametrize(("name", "one", "other"), SAME)
def test_volatile_text_does_not_matter(name: str, one: str, other: str) -> None:
    assert masked(one) == masked(other), name


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_says_something_stays(one: str, other: str) -> None:
    assert masked(one) != masked(other)


def test_a_pattern_belongs_to_a_step_that_does_the_same() -> None:
    one = fingerprint("a", "c" * 64, failure())
    assert one == fingerprint("a", "c" * 64, failure())
    assert one != fingerprint("b", "c" * 64, failure())
    assert one != fingerprint("a", "d" * 64, failure())
    assert one != fingerprint("a", "c" * 64, failure(Kind.CRASH))
    assert one != fingerprint("a", "c" * 64, structs.replace(failure(), rule="other"))


def test_long_text_is_bounded() -> None:
    assert len(masked("word " * 10_000)) <= MAX_CHARS


def test_hostile_text_takes_no_time() -> None:
    for text in ("1." * 5000, "a:" * 5000, "f" * 9999, "/tmp/" * 2000, "job-" * 2000, "-" * 9999):
        masked(text)

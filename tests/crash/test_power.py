"""A few of the power cuts of the real command; `python -m tests.crash` makes all of them.

The promise is kept on a disk that keeps what was synced. On a machine whose syncs do nothing, which
is what `eatmydata` makes of any, the same check has to fail: otherwise it would not see the syncs.
"""

import shutil
from pathlib import Path

import pytest

from tests.crash import kills, power
from tests.crash.tracing import Call, Watched, calls
from tests.store.faulty_disk import Luck


@pytest.fixture(scope="module")
def tracer() -> str:
    found = kills.strace()
    if found is None:
        pytest.skip("strace is missing or may not trace here: no power cuts of the real command")
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, tracer: str) -> power.Recording:
    return power.record(tmp_path_factory.mktemp("recorded") / "folder", tracer)


def just_told(recording: power.Recording, what: bytes) -> int:
    """Return the place after the call that told of `what`."""
    places = enumerate(recording.calls, 1)
    return next(at for at, call in places if call.kind == "told" and what in call.data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "luck"),
    [(b'"step":"big"', "none"), (b'"step":"each[1]"', "random")],
)
def test_what_was_told_survives_a_power_cut_right_after_it(
    told: bytes, luck: Luck, recording: power.Recording, tmp_path: Path
) -> None:
    power.survives(tmp_path / "left", recording, power.Cut(just_told(recording, told), luck))


@pytest.mark.slow
def test_power_cuts_anywhere_lose_nothing(recording: power.Recording, tmp_path: Path) -> None:
    chosen = list(power.cuts(recording))
    assert len(chosen) > 300
    for number, cut in enumerate(chosen[60::400]):
        power.survives(tmp_path / str(number), recording, cut)


@pytest.mark.slow
def test_the_check_fails_under_eatmydata(tracer: str, tmp_path: Path) -> None:
    program = shutil.which("eatmydata")
    if program is None:
        pytest.skip("eatmydata is missing: that the check sees the syncs is not shown here")
    lies = power.record(tmp_path / "lies", tracer, under=[program])
    assert not [call for call in lies.calls if call.kind == "sync"], "it has not kept them off"
    with pytest.raises(AssertionError, match=r"done again though it had succeeded|is lost"):
        power.survives(tmp_path / "left", lies, power.Cut(just_told(lies, b'"step":"big"'), "none"))


def hexadecimal(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def test_a_trace_is_read_in_the_order_of_the_kernel() -> None:
    file, told = hexadecimal("/w/disk/file"), hexadecimal("/w/events")
    here, other, data = hexadecimal("/w"), hexadecimal("/w/other"), hexadecimal("abc")
    lines = [
        f'1 openat(AT_FDCWD<{here}>, "{file}", O_RDWR|O_CREAT|O_TRUNC, 0600) = 3<{file}>',
        f'1 pwrite64(3<{file}>, "{data}", 3, 7) = 2',
        f"1 fdatasync(3<{file}> <unfinished ...>",
        f'2 write(4<{told}>, "{data}", 3 <unfinished ...>',
        "1 <... fdatasync resumed>) = 0",
        "2 <... write resumed>) = 3",
        f'2 write(5<{other}>, "{data}", 3) = 3',
        f'2 rename("{file}", "{hexadecimal("/w/disk/new")}") = -1 ENOENT (No such file)',
        f'2 unlinkat(AT_FDCWD<{here}>, "{hexadecimal("disk/file")}", 0) = 0',
    ]
    assert calls(lines, Watched(Path("/w"), ["disk"], ["events"])) == [
        Call("create", "/disk/file"),
        Call("cut", "/disk/file"),
        Call("write", "/disk/file", b"ab", 7),
        Call("told", "events", b"abc"),
        Call("sync", "/disk/file"),
        Call("unlink", "/disk/file"),
    ]


def test_the_model_forgets_what_was_not_synced_and_keeps_what_was() -> None:
    done = [
        Call("create", "/a"),
        Call("write", "/a", b"kept"),
        Call("sync", "/a"),
        Call("sync", "/"),
        Call("append", "/a", b"lost"),
        Call("create", "/b"),
    ]
    left = power.left_after(done, power.Cut(len(done), "none"))
    assert (left.paths(), left.content("/a")) == (["/a"], b"kept")
    left = power.left_after(done, power.Cut(len(done), "all"))
    assert (left.paths(), left.content("/a")) == (["/a", "/b"], b"keptlost")
    torn = power.left_after(done, power.Cut(4, "all", seed=3, torn=True)).content("/a")
    assert torn.startswith(b"kept")
    assert b"keptlost".startswith(torn)

"""The log of an attempt: what was printed, bounded, without secrets."""

import os
import stat
from pathlib import Path

import pytest

from agentrun.steps.log import FileLog
from agentrun.steps.redact import Redactor


def test_what_is_written_is_in_the_file_at_once(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "logs" / "a" / "1.log")
    log.write(b"one\n")
    assert log.path.read_bytes() == b"one\n"
    log.close()


def test_an_attempt_that_prints_nothing_has_no_file(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "logs" / "a" / "1.log")
    log.write(b"")
    log.close()
    assert not (tmp_path / "logs").exists()


def test_nobody_else_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        log = FileLog(tmp_path / "logs" / "a[3]" / "1.log")
        log.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(log.path.parent.parent.stat().st_mode) == 0o700
    log.close()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "1.log").symlink_to(tmp_path / "precious")
    log = FileLog(tmp_path / "1.log")
    log.write(b"x")
    log.close()
    assert (tmp_path / "precious").read_text() == "precious"
    assert isinstance(log.error, OSError)


def test_a_failing_disk_is_told_and_does_not_disturb() -> None:
    log = FileLog(Path("/dev/full"))
    log.write(b"one ")
    log.write(b"two")
    assert log.error is not None
    assert log.error.strerror == "No space left on device"
    assert log.tail() == "one two"
    log.close()


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = FileLog(tmp_path / "logs" / "a" / "1.log")
    log.write(b"x")
    assert isinstance(log.error, NotADirectoryError | FileExistsError)


def test_the_middle_of_much_is_left_out(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log", head_bytes=10, tail_bytes=5)
    for piece in (b"0123456", b"789abcdefgh", b"ijklmnop", b"qrstu"):
        log.write(piece)
    log.close()
    text = log.path.read_text()
    assert text == "0123456789\n[agentrun] 16 bytes left out here\nqrstu"


def test_nothing_is_said_to_be_left_out_when_nothing_is(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log", head_bytes=10, tail_bytes=5)
    log.write(b"0123456789abcde")
    log.close()
    assert log.path.read_text() == "0123456789abcde"


def test_byte_by_byte(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log", head_bytes=3, tail_bytes=10_000)
    for n in range(20_000):
        log.write(b"%d" % (n % 10))
    assert log.tail(4) == "6789"
    log.close()
    assert log.path.stat().st_size == 3 + 10_000 + len("\n[agentrun] 9,997 bytes left out here\n")


def test_the_tail_and_the_excerpt(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log")
    log.write(b"beginning " + b"x" * 100_000 + b" end")
    assert log.tail(4) == " end"
    excerpt = log.excerpt(3_000)
    assert excerpt.startswith("beginning ")
    assert "\n[...]\n" in excerpt
    assert excerpt.endswith(" end")
    assert len(excerpt) < 3_100
    log.close()


def test_a_short_text_is_excerpted_whole(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log")
    log.write("naïve".encode())
    assert log.excerpt() == log.tail() == "naïve"
    log.close()


def test_what_is_not_utf8_can_be_shown(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log")
    log.write(b"\xffabc\xc3")
    assert log.tail() == "\ufffdabc\ufffd"
    log.close()


def test_every_write_is_a_sign_of_life(tmp_path: Path) -> None:
    now = [100.0]
    log = FileLog(tmp_path / "1.log", clock=lambda: now[0])
    assert log.last_write_monotonic == 100.0
    now[0] = 105.0
    log.write(b"")
    assert log.last_write_monotonic == 105.0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_secret_split_over_pieces_reaches_neither_file_nor_tail(
    tmp_path: Path, size: int
) -> None:
    log = FileLog(tmp_path / "1.log", Redactor({"TOKEN": "hunter2-hunter2"}))
    data = b"token=hunter2-hunter2 and hunter2-hunter2"
    for at in range(0, len(data), size):
        log.write(data[at : at + size])
    assert log.tail() == "token=[secret:TOKEN] and [secret:TOKEN]"
    log.close()
    assert log.path.read_text() == "token=[secret:TOKEN] and [secret:TOKEN]"


def test_what_only_looked_like_the_beginning_of_a_secret_is_not_lost(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log", Redactor({"TOKEN": "hunter2-hunter2"}))
    log.write(b"the hunt")
    assert log.tail() == "the hunt"
    log.close()
    assert log.path.read_text() == "the hunt"


def test_most_of_a_secret_is_a_secret(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log", Redactor({"TOKEN": "hunter2-hunter2"}))
    log.write(b"cut off: hunter2-hun")
    log.close()
    assert log.path.read_text() == "cut off: [secret:TOKEN]"


def test_closing_twice_and_writing_after_it(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "1.log")
    log.write(b"x")
    log.close()
    log.write(b"y")
    log.close()
    assert log.path.read_text() == "x"

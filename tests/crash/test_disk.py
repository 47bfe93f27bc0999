"""Disks that are full, too small, or not to be written; an attempt that prints too much."""

import json
import os
import re
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.command import TASK, Folder

pytestmark = pytest.mark.slow

FILLING = r"""
steps:
  - {id: small, run: 'echo "$RUN small" >> "$EFFECTS"; echo one'}
  - {id: large, run: 'echo "$RUN large" >> "$EFFECTS"; head -c 900000 /dev/zero | tr "\0" x'}
  - {id: last, run: 'echo "$RUN last" >> "$EFFECTS"; echo done'}
outputs: {small: "${{ steps.small.output }}", last: "${{ steps.last.output }}"}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 512 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small file system may be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def refused(folder: Folder, done: "subprocess.CompletedProcess[str]", reason: str) -> None:
    """One clear message, exit 4, nothing lost, nothing done again."""
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert reason in done.stderr, done.stderr
    assert str(folder.root) in done.stderr, done.stderr
    assert re.search(rf"agentrun (--checkpoints \S+ )?resume {TASK}\b", done.stderr), done.stderr
    folder.check()


def test_a_disk_that_is_too_small_stops_the_task_and_a_larger_one_ends_it(
    tmp_path: Path, tiny: Path
) -> None:
    folder = Folder(tmp_path / "work", FILLING)
    options = ("--checkpoints", str(tiny / "checkpoints"))
    folder.root, folder.task = tiny / "checkpoints", tiny / "checkpoints" / TASK
    refused(folder, folder.run(*options), "No space left on device")
    refused(folder, folder.run(*options), "No space left on device")
    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny)], check=True)
    done = folder.run(*options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"small": "one", "last": "done"}
    folder.check()
    assert folder.times()["small"] == 1


def test_a_file_that_may_not_grow_is_like_a_full_disk(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "work", FILLING)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    process = folder.start(preexec_fn=limit)
    out, err = process.communicate(timeout=60)
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    refused(folder, done, "File too large")
    assert folder.finish(most=1) == {"small": "one", "last": "done"}
    folder.check()


def test_checkpoints_that_can_not_be_made_are_told_of(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "work")
    (tmp_path / "work" / "file").write_text("")
    done = folder.run("--checkpoints", str(tmp_path / "work" / "file" / "checkpoints"))
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert folder.marks() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_checkpoints_are_told_of(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "work")
    folder.root.mkdir(mode=0o500)
    done = folder.run()
    assert done.returncode == 4, done.stderr
    assert folder.marks() == []


def test_read_only_file_systems_are_told_of(tmp_path: Path, tiny: Path) -> None:
    folder = Folder(tmp_path / "work")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    done = folder.run("--checkpoints", str(tiny / "checkpoints"))
    assert done.returncode == 4, done.stderr
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    assert folder.marks() == []


def test_an_attempt_that_prints_a_gigabyte_leaves_a_log_of_bounded_size(tmp_path: Path) -> None:
    text = "steps:\n  - {id: loud, run: 'yes 0123456789abcdef | head -c 1073741824'}\n"
    folder = Folder(tmp_path / "work", text)
    done = folder.run()
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}, done.stderr
    used = sum(each.stat().st_size for each in folder.task.rglob("*") if each.is_file())
    assert used < 256 << 20, f"{used} bytes on disk"

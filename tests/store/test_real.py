"""Real processes on a real disk: killed while they append, and stopped by a limit of the system."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentrun.store.manager import CheckpointManager
from tests.store.scenario import TASK
from tests.store.test_lock import made

APPEND = """
import resource, sys
from agentrun.core import events as ev
from agentrun.errors import StoreError
from agentrun.store.manager import CheckpointManager

if int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
task = CheckpointManager(sys.argv[1]).open(sys.argv[2])
seq = task.seq
try:
    while True:
        task.append([ev.Recorded(seq + 1, 1.0, ev.Warned("w" * 200))])
        seq += 1
        print(seq, flush=True)
except StoreError as error:
    print(error.message, "|", error.hint, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def appending(root: Path, limit: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", APPEND, str(root), TASK, str(limit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def last_acknowledged(process: "subprocess.Popen[str]") -> int:
    """Return the last whole number that the process has printed, once it has ended."""
    assert process.stdout is not None
    lines = process.stdout.read().split("\n")[:-1]
    return int(lines[-1]) if lines else 1


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    manager = made(tmp_path / "c")
    acknowledged = 1
    for seed in range(4):
        with appending(tmp_path / "c") as process:
            assert process.stdout is not None
            acknowledged = int(process.stdout.readline())
            time.sleep(random.Random(seed).uniform(0.0, 0.05))
            process.kill()
            acknowledged = max(acknowledged, last_acknowledged(process))
        view = manager.read(TASK)
        assert view.state.seq >= acknowledged
        assert view.loss is None
    with manager.open(TASK) as task:
        assert task.seq >= acknowledged


@pytest.mark.parametrize("limit", [1000, 1001, 20_003])
def test_a_limit_on_the_size_of_files_ends_the_run_and_loses_nothing(
    tmp_path: Path, limit: int
) -> None:
    manager = CheckpointManager(made(tmp_path / "c").root)
    with appending(tmp_path / "c", limit) as process:
        acknowledged = last_acknowledged(process)
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait() == 4
    assert "File too large" in told
    assert f"agentrun resume {TASK}" in told
    assert "Traceback" not in told
    with manager.open(TASK) as task:
        assert task.seq >= acknowledged

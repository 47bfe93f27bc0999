"""Signals, two processes at once, and children that are left behind."""

import json
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.crash.command import TASK, Folder, end_group, wait_for

pytestmark = pytest.mark.slow

SLOW_CHILD = r"""
steps:
  - id: one
    run: 'echo "$RUN one" >> "$EFFECTS"'
  - id: slow
    run: |
      echo "$RUN slow" >> "$EFFECTS"
      echo $$ >> pids
      if [ $(wc -l < pids) = 1 ]; then sleep 60; fi
      for pid in $(cat pids); do
        [ $pid = $$ ] || ! ps -o stat= -p $pid | grep -qv Z || echo "$pid lives" >> alive
      done
      echo done
"""

BACKOFF = r"""
steps:
  - id: flaky
    retry: {max_attempts: 2, delay: 3s, jitter: 0}
    run: |
      echo "$RUN flaky" >> "$EFFECTS"
      date +%s.%N >> moments
      [ $(wc -l < moments) = 2 ]
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_order_and_the_task_can_be_resumed(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    folder = Folder(tmp_path, SLOW_CHILD)
    process = folder.start()
    wait_for((tmp_path / "pids").exists, "the slow step")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert json.loads(out)["next"] == f"agentrun resume {TASK}"
    folder.finish(most=1)
    folder.check()
    assert folder.times() == {"one": 1, "slow": 2}
    assert not (tmp_path / "alive").exists()


def test_a_child_of_a_killed_run_is_dead_before_its_step_runs_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path, SLOW_CHILD)
    process = folder.start()
    wait_for((tmp_path / "pids").exists, "the slow step")
    end_group(process)
    folder.finish(most=1)
    folder.check()
    assert not (tmp_path / "alive").exists(), (tmp_path / "alive").read_text()


def test_a_resume_waits_only_for_what_is_left_of_a_backoff(tmp_path: Path) -> None:
    folder = Folder(tmp_path, BACKOFF)
    process = folder.start()
    events = tmp_path / "events-0"
    wait_for(lambda: events.exists() and "retry_scheduled" in events.read_text(), "the retry")
    end_group(process)
    folder.finish(most=1)
    (retry,), (resumed,), (*_, again) = (
        [each for each in told(tmp_path) if each["type"] == type_]
        for type_ in ("retry_scheduled", "task_resumed", "step_started")
    )
    assert retry["at"] <= seconds(again["time"])
    assert seconds(again["time"]) < seconds(resumed["time"]) + retry["delay_s"], "anew, it is more"


def told(folder: Path) -> list[dict[str, Any]]:
    """Return the events of both runs."""
    lines = [line for n in (0, 1) for line in (folder / f"events-{n}").read_text().splitlines()]
    return [json.loads(line) for line in lines]


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_of_two_resumes_at_once_one_runs_and_the_other_names_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path, SLOW_CHILD)
    process = folder.start()
    wait_for((tmp_path / "pids").exists, "the slow step")
    end_group(process)
    os.replace(tmp_path / "pids", tmp_path / "before")
    first = folder.start()
    wait_for((tmp_path / "pids").exists, "the slow step")
    second = folder.run()
    assert second.returncode == 4
    assert f"process {first.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    folder.finish(most=1)
    folder.check()
    assert folder.times()["one"] == 1


def test_a_step_that_must_not_be_repeated_is_asked_about_after_a_kill(tmp_path: Path) -> None:
    once = SLOW_CHILD.replace("- id: slow\n", "- id: slow\n    idempotent: false\n")
    folder = Folder(tmp_path, once)
    process = folder.start()
    wait_for((tmp_path / "pids").exists, "the slow step")
    end_group(process)
    asked = folder.run()
    assert asked.returncode == 3, asked.stderr
    assert folder.times()["slow"] == 1
    assert folder.run("--skip", "slow").returncode == 0
    assert folder.times()["slow"] == 1

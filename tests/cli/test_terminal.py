"""The command line on a real terminal."""

import os
import re
import signal
import sys
from pathlib import Path

import pexpect
import pytest

from agentrun import __main__
from tests.cli.conftest import Write

pytestmark = pytest.mark.slow
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
ROOT = __main__.__file__.rpartition("/agentrun/")[0]

SLEEPS = "steps: [{id: nap, run: sleep 60}]"


def terminal(*args: str, width: int = 80) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        sys.executable,
        ["-m", "agentrun", *args],
        env={**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm"},
        dimensions=(24, width),
        encoding="utf-8",
        timeout=30,
    )


def rest(child: "pexpect.spawn[str]") -> str:
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def test_a_run_on_a_terminal_draws_a_tree_then_its_ending_and_result(write: Write) -> None:
    file = write("hi.yaml", r"""steps: [{id: a, run: "printf 'hi \\033[2Jyou'"}]""")
    child = terminal("run", str(file))
    text = rest(child)
    assert child.exitstatus == 0
    assert "\x1b[2J" not in text
    plain = _CONTROL.sub("", text)
    assert "✓ a" in plain
    assert "succeeded: 1 step" in plain
    assert plain.splitlines()[-1] == "hi you"


@pytest.mark.parametrize(("how", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_run_restores_the_terminal_and_says_how_to_go_on(
    write: Write, how: str, code: int
) -> None:
    child = terminal("run", str(write("nap.yaml", SLEEPS)))
    child.expect("nap")
    child.expect("nap")
    if how == "SIGINT":
        child.sendcontrol("c")
    else:
        child.kill(signal.SIGTERM)
    text = rest(child)
    assert child.exitstatus == code
    assert "\x1b[?25h" in text, "the cursor is shown again"
    assert f"interrupted by {how}, checkpoint saved" in text
    assert "agentrun resume nap-" in text


def test_logs_follow_a_running_task_to_its_end(write: Write) -> None:
    file = write("slow.yaml", "steps: [{id: a, run: 'echo begin; read _ < go; echo end'}]")
    os.mkfifo("go")
    runner = terminal("run", str(file), "-q")
    while not list(Path().glob("checkpoints/slow-*/logs/a/1.log")):
        assert runner.isalive()
    follower = terminal("logs", "latest", "a", "--follow")
    follower.expect("begin")
    Path("go").write_text("now\n")
    assert "end" in rest(follower)
    assert follower.exitstatus == 0
    rest(runner)


def test_clean_asks_on_a_terminal(write: Write) -> None:
    rest(terminal("run", str(write("a.yaml", "steps: [{id: a, run: 'true'}]"))))
    child = terminal("clean")
    child.expect(r"Remove 1 task\?")
    child.sendline("n")
    assert "nothing was removed" in rest(child)
    assert child.exitstatus == 1
    assert len(list(Path("checkpoints").glob("a-*"))) == 1
    child = terminal("clean")
    child.expect(r"Remove 1 task\?")
    child.sendline("y")
    assert "1 task removed" in rest(child)
    assert not list(Path("checkpoints").glob("a-*"))

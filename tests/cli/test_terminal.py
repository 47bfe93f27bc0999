"""The command line on a real terminal."""

import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from agentrun import __main__
from tests.cli.conftest import Write

pytestmark = pytest.mark.slow
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
ROOT = __main__.__file__.rpartition("/agentrun/")[0]

SLEEPS = "steps: [{id: nap, run: sleep 60}]"


def terminal(
    *args: str, width: int = 80, env: Mapping[str, str] | None = None
) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        sys.executable,
        ["-m", "agentrun", *args],
        env={**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm", **(env or {})},
        dimensions=(24, width),
        encoding="utf-8",
        timeout=60,
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


NEEDS_REGION = """
    inputs: {region: {type: string, default: eu}}
    steps: [{id: a, run: 'echo "${REGION:?not set}"'}]
"""


def test_debug_opens_a_view_and_leaves_the_terminal_as_it_was(write: Write) -> None:
    rest(terminal("run", str(write("a.yaml", NEEDS_REGION))))
    child = terminal("debug", "latest")
    child.expect("What happened")
    child.send("q")
    text = rest(child)
    assert child.exitstatus == 0
    assert "\x1b[?1049l" in text, "back from the other screen"
    assert "\x1b[?25h" in text, "the cursor is shown again"
    child = terminal("debug", "latest")
    child.expect("What happened")
    child.kill(signal.SIGTERM)
    assert "\x1b[?1049l" in rest(child)
    assert child.exitstatus == 143


def test_a_fix_chosen_in_the_view_is_applied_as_by_apply(write: Write) -> None:
    rest(terminal("run", str(write("a.yaml", NEEDS_REGION))))
    child = terminal("debug", "latest")
    child.expect("What happened")
    child.send("a")
    child.expect("env.REGION")
    child.send("\r")
    child.expect("and resume")
    child.send("y")
    plain = _CONTROL.sub("", rest(child).rpartition("\x1b[?1049l")[2])
    assert child.exitstatus == 0
    assert "succeeded: 1 step" in plain
    assert plain.splitlines()[-1] == "eu"


def test_debug_prints_text_where_a_view_is_not_wanted_or_can_not_be(write: Write) -> None:
    rest(terminal("run", str(write("a.yaml", NEEDS_REGION))))
    hidden = "import sys; sys.modules['textual'] = None; from agentrun.__main__ import main; main()"
    child = pexpect.spawn(
        sys.executable,
        ["-c", hidden, "debug", "latest"],
        env={**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
    )
    without = rest(child)
    assert "apply one" in without
    assert without.count("pip install 'agentrun-cli[tui]'") == 1
    assert child.exitstatus == 0
    dumb = terminal("debug", "latest", env={"TERM": "dumb"})
    redirected = pexpect.spawn(
        "sh",
        ["-c", f"exec {sys.executable} -m agentrun debug latest 2> err"],
        env={**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
    )
    for child in (terminal("debug", "latest", "--plain"), redirected, dumb):
        text = rest(child)
        assert child.exitstatus == 0
        assert "apply one" in text
        assert "\x1b[?1049h" not in text
        assert "tui" not in text
    assert "\x1b" not in text

"""Approvals answered at the terminal."""

import os
import sys
from pathlib import Path

import pexpect
import pytest

from agentrun.cli.ask import meant
from tests.cli.conftest import ASKS, Write

ROOT = Path(__file__).parents[2]


def start(*args: str) -> "pexpect.spawn[str]":
    """Start `agentrun` on a terminal of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"}
    return pexpect.spawn(
        sys.executable, ["-m", "agentrun", *args], env=env, encoding="utf-8", timeout=60
    )


def test_the_person_at_the_terminal_is_asked_and_the_task_goes_on(write: Write) -> None:
    child = start("run", str(write("asks.yaml", ASKS)))
    child.expect("decide asks: Publish")
    child.sendline("maybe")
    child.expect("maybe is none of them")
    child.sendline("2")
    child.expect("discard")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_enter_leaves_it_for_later(write: Write) -> None:
    child = start("run", str(write("asks.yaml", ASKS)))
    child.expect("Enter leaves it for later")
    child.sendline("")
    child.expect("agentrun approve")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 3


@pytest.mark.parametrize("option", ["--json", "--quiet", "--events=-"])
def test_nobody_is_asked_where_a_program_reads(write: Write, option: str) -> None:
    child = start("run", str(write("asks.yaml", ASKS)), option)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 3


@pytest.mark.parametrize(
    ("typed", "option"),
    [("ship", "ship"), ("1", "ship"), ("2", "stop"), ("3", None), ("sh", "ship"), ("s", None)],
)
def test_what_is_typed(typed: str, option: str | None) -> None:
    assert meant(typed, ("ship", "stop")) == option

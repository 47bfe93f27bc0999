"""What the shells are told, through the variables that their completion scripts set."""

import subprocess
import sys
from pathlib import Path

import pytest

from agentrun import __main__
from tests.cli.conftest import FAILS, HELLO, Agentrun, Write

ROOT = __main__.__file__.rpartition("/agentrun/")[0]


def complete(shell: str, line: str) -> list[str]:
    """Return what is offered at the end of a line."""
    words = line.split(" ")
    environ = {
        "PYTHONPATH": ROOT,
        "HOME": str(Path.cwd()),
        "PATH": "/usr/bin:/bin",
        "_AGENTRUN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv[0] = 'agentrun'; from agentrun.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.split("\n") if line]


@pytest.fixture
def _tasks(agentrun: Agentrun, write: Write) -> None:
    agentrun("run", str(write("hello.yaml", HELLO)), "--task-id", "one")
    agentrun("run", str(write("fails.yaml", FAILS)), "--task-id", "other")


def test_commands() -> None:
    assert complete("bash", "agentrun in") == ["inspect", "init"]
    assert "--checkpoints" in complete("bash", "agentrun --")


def test_options_of_a_command_and_the_global_ones() -> None:
    offered = complete("bash", "agentrun resume x --")
    assert {"--plan", "--from", "--skip", "--checkpoints", "--quiet"} <= set(offered)


@pytest.mark.usefixtures("_tasks")
@pytest.mark.parametrize("command", ["resume", "inspect", "debug", "logs", "cancel", "fork"])
def test_task_ids(command: str) -> None:
    assert sorted(complete("bash", f"agentrun {command} o")) == ["one", "other"]
    assert "latest" in complete("bash", f"agentrun {command} ")


@pytest.mark.usefixtures("_tasks")
def test_steps_of_the_task() -> None:
    assert complete("bash", "agentrun inspect other --step ") == ["first", "second", "third"]
    assert complete("bash", "agentrun resume other --from s") == ["second"]
    assert complete("bash", "agentrun logs latest f") == ["first"]
    assert complete("bash", "agentrun resume nothing --from ") == []


@pytest.mark.usefixtures("_tasks")
def test_another_folder() -> None:
    assert complete("bash", "agentrun --checkpoints elsewhere resume o") == []
    assert complete("bash", "agentrun resume --checkpoints checkpoints on") == ["one"]


def test_states() -> None:
    assert complete("bash", "agentrun list --status s") == ["succeeded"]


@pytest.mark.usefixtures("_tasks")
def test_zsh_and_fish() -> None:
    assert complete("zsh", "agentrun resume on") == ["_arguments '*: :((\"one\"))'"]
    assert complete("zsh", "agentrun run hel") == ["_files"]
    assert sorted(complete("fish", "agentrun resume o")) == ["one", "other"]
    assert complete("fish", "agentrun valid") == ["validate\tFind every mistake in a workflow."]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_printed(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentrun", "--show-completion"],
        env={
            "PYTHONPATH": ROOT,
            "PATH": "/usr/bin:/bin",
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    source = complete_source(shell)
    assert "_AGENTRUN_COMPLETE" in source
    assert "agentrun" in source


def complete_source(shell: str) -> str:
    """Return the script that a shell would source."""
    code = "import sys; sys.argv[0] = 'agentrun'; from agentrun.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ROOT, "PATH": "/usr/bin:/bin", "_AGENTRUN_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

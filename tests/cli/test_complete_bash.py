"""Completion in a real bash, with the script that `--show-completion` prints."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import HELLO, Agentrun, Write

ROOT = Path(__file__).parents[2]
COMPLETE = """
eval "$(agentrun --show-completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p agentrun | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" agentrun "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_ids_and_steps(
    agentrun: Agentrun, write: Write, tmp_path: Path
) -> None:
    agentrun("run", str(write("hello.yaml", HELLO)), "--task-id", "mine")
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    command = bin_dir / "agentrun"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentrun "$@"\n')
    command.chmod(0o755)
    env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    env["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"

    def offered(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", COMPLETE, "bash", *words],
            env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split()

    assert offered("agentrun", "res") == ["resume"]
    assert offered("agentrun", "resume", "mi") == ["mine"]
    assert offered("agentrun", "resume", "mine", "--from", "") == ["greet"]
    assert "--stub" in offered("agentrun", "run", "x.yaml", "--st")

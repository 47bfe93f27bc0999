"""The README does what it says: its blocks are run as they are written."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(language: str, holding: str) -> str:
    """Return the code block of that language that holds a text."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(each for each in blocks if holding in each)


Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a script as a user would, with `agentrun` on the PATH, in an empty folder."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    command = bin_dir / "agentrun"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentrun "$@"\n')
    command.chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip

    return run


def test_the_first_command_runs_a_workflow_worth_looking_at(shell: Shell, tmp_path: Path) -> None:
    first = block("sh", "repo_health").split("&&")[-1].replace(".venv/bin/agentrun", "agentrun")
    ran = shell(f"cd '{ROOT}' && AGENTRUN_CHECKPOINTS='{tmp_path}' {first}")
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"# Health: \d+ of 100\n", ran.stdout)


def test_the_demo_pays_once_although_agentrun_is_killed(shell: Shell, tmp_path: Path) -> None:
    ran = shell(block("sh", "bill.txt").replace(". .venv/bin/activate\n", ""))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "paid 5 dollars\n"
    assert (tmp_path / "bill.txt").read_text() == "paid 5 dollars\n"


def test_the_example_workflow_is_valid_and_its_commands_work(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "triage.yaml").write_text(block("yaml", "name: triage"))
    commands = block("sh", "agentrun validate").replace("| jq .labels", "")
    ran = shell(f"set -e\n{commands}")
    assert ran.returncode == 0, ran.stderr
    assert '{"labels": ["bug", "feature"]}' in ran.stdout


def test_every_page_it_points_to_is_there() -> None:
    pages = re.findall(r"\]\(((?:docs|workflows)[^)]*|[A-Z]+\.md)\)", README)
    assert pages
    assert [page for page in pages if not (ROOT / page).exists()] == []

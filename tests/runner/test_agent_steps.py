"""Agent steps in whole workflows: what they used, and what their items offer to later steps."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import Desk

REPLY = {"text": "done", "id": "s1", "in": 100, "out": 20, "usd": 0.25}


def agent(script: str, **more: Any) -> str:
    """Return an agent whose CLI is a shell script, as JSON for a workflow file."""
    cli = {
        "command": ["bash", "-c", script],
        "prompt": "stdin",
        "name": "helper",
        "result": "text",
        "session": "id",
        "usage": {"input_tokens": "in", "output_tokens": "out"},
        "cost": "usd",
    }
    return json.dumps({"cli": cli, "prompt": "do it", **more})


def says(**changes: Any) -> str:
    return f"echo '{json.dumps(REPLY | changes)}'"


@pytest.fixture
def repo(desk: Desk) -> Path:
    for arguments in (
        ["init", "-q"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *arguments], cwd=desk.folder, check=True)
    return desk.folder


def test_the_patches_of_items_are_a_list_in_the_order_of_the_items(desk: Desk, repo: Path) -> None:
    writes = f'echo $NAME > "$NAME.txt"; {says()}'
    done = desk.run(f"""
        steps:
          - id: fix
            for_each: [one, two]
            env: {{NAME: "${{{{ item }}}}"}}
            agent: {agent(writes, workspace="worktree")}
        outputs:
          patches: ${{{{ steps.fix.patch }}}}
          sessions: ${{{{ steps.fix.session }}}}
          trees: ${{{{ steps.fix.worktree | map('length') | list | length }}}}
    """)
    assert done.exit_code == 0, done.state.ending
    one, two = done.outputs["patches"]
    assert "+one" in one
    assert "+two" in two
    assert done.outputs["sessions"] == ["s1", "s1"]
    assert done.outputs["trees"] == 2


def test_the_patches_of_no_items_are_no_patches(desk: Desk) -> None:
    done = desk.run(f"""
        steps:
          - {{id: fix, for_each: [], agent: {agent(says())}}}
        outputs: ${{{{ steps.fix.patch }}}}
    """)
    assert done.outputs == []


def test_usage_is_a_sum_over_items_retries_and_sub_workflows(desk: Desk) -> None:
    desk.write("sub.yaml", f"steps: [{{id: in, agent: {agent(says())}}}]")
    misfit_once = f"if test -e mark; then {says(text=1)}; else touch mark; {says()}; fi"
    done = desk.run(f"""
        steps:
          - {{id: each, for_each: [1, 2], agent: {agent(says())}}}
          - {{id: again, agent: {agent(misfit_once)}, output: {{schema: {{type: integer}}}},
             retry: {{max_attempts: 2, delay: 0}}}}
          - {{id: sub, workflow: sub.yaml}}
        outputs:
          each: ${{{{ steps.each.usage.tokens }}}}
          again: ${{{{ steps.again.usage.usd }}}}
          sub: ${{{{ steps.sub.usage.input_tokens }}}}
    """)
    assert done.outputs == {"each": 240, "again": 0.5, "sub": 100}
    assert (done.state.tokens, done.state.usd, done.state.usd_unknown) == (600, 1.25, False)


def test_a_price_that_nobody_told_is_null_and_unknown(desk: Desk) -> None:
    done = desk.run(f"""
        budget: {{usd: 1}}
        steps:
          - {{id: a, agent: {agent("echo '{" + '"text": "done"' + "}'")}}}
        outputs: ["${{{{ steps.a.usage.usd }}}}", "${{{{ steps.a.usage.usd_unknown }}}}"]
    """)
    assert done.outputs == [None, True]
    assert done.state.usd_unknown
    assert "can't be kept for certain" in done.state.warnings[0]


def test_the_budget_counts_failed_attempts_and_items(desk: Desk) -> None:
    done = desk.run(f"""
        budget: {{usd: 0.6}}
        steps:
          - {{id: each, for_each: [1, 2, 3, 4, 5], max_parallel: 1, agent: {agent(says())}}}
    """)
    assert (done.exit_code, done.state.usd) == (3, 0.75)
    assert [done.state.step(f"each[{index}]").status for index in range(4)] == [
        *["succeeded"] * 3,
        "pending",
    ]


def test_what_an_attempt_used_that_timed_out_is_not_known(desk: Desk) -> None:
    done = desk.run(f"""
        steps:
          - {{id: slow, agent: {agent("sleep 30")}, timeout: 300ms, retry: {{max_attempts: 1}}}}
    """)
    used = done.state.step("slow").usage
    assert used is not None
    assert used.unpriced
    assert done.state.usd_unknown

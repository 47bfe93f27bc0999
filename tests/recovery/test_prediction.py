"""Chances, times and prices from history; silence where it is thin; warnings before and during."""

import time
from pathlib import Path

import pytest

from agentrun.core.model import Step, Workflow
from agentrun.foresight import warnings
from agentrun.recovery.history import HASH_CHARS, StepHistory
from agentrun.recovery.prediction import (
    MIN_RUNS,
    MIN_RUNS_OF_ALL,
    base_rate,
    chance_of,
    forecast,
    whole,
)
from agentrun.store.disk import Disk
from agentrun.store.manager import CheckpointManager
from agentrun.workflow.load import load_text
from tests.runner.conftest import Desk, desk

__all__ = ["desk"]


def step(name: str, *needs: str) -> Step:
    return Step(name, "run", {}, needs=needs, content_hash=name * HASH_CHARS)


def seen(ok: int, failed: int = 0, **more: object) -> StepHistory:
    return StepHistory("x", "w", ok, failed, **more)  # type: ignore[arg-type]


def of(**known: StepHistory) -> dict[str, StepHistory]:
    return {name * HASH_CHARS: entry for name, entry in known.items()}


def test_nothing_is_said_of_a_step_or_a_folder_that_is_hardly_known() -> None:
    workflow = Workflow("w", (step("a"), step("b")))
    for known in ({}, of(a=seen(MIN_RUNS_OF_ALL - 1)), of(b=seen(MIN_RUNS_OF_ALL))):
        assert forecast(workflow, known)[0].chance is None
    few = of(a=seen(MIN_RUNS - 1), b=seen(MIN_RUNS_OF_ALL))
    assert forecast(workflow, few)[0].chance is None
    assert forecast(workflow, of(a=seen(MIN_RUNS), b=seen(MIN_RUNS_OF_ALL)))[0].chance is not None


def test_one_bad_run_is_no_verdict_and_many_are() -> None:
    base = base_rate(of(a=seen(95, 5)))
    assert base == pytest.approx(0.054, abs=0.01)
    assert base is not None
    assert chance_of(4, 1, base).middle < 0.2
    assert chance_of(5, 45, base).middle > 0.85


def test_the_range_narrows_with_what_is_known() -> None:
    few, many = chance_of(4, 1, 0.1), chance_of(400, 100, 0.1)
    assert few.high - few.low > 3 * (many.high - many.low)
    assert 0 <= few.low <= few.middle <= few.high <= 1


def test_time_is_that_of_the_longest_way_and_money_that_of_all() -> None:
    workflow = Workflow("w", (step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")))
    known = of(
        **{
            name: seen(20, seconds=[s] * 20, usd=[0.1] * 20)
            for name, s in zip("abcd", [1.0, 5.0, 2.0, 1.0], strict=True)
        }
    )
    total = whole(workflow, forecast(workflow, known))
    assert total.seconds is not None
    assert total.usd is not None
    assert total.seconds.middle == 7.0
    assert total.usd.middle == pytest.approx(0.4)


def test_the_worst_kind_is_named() -> None:
    known = of(a=seen(30, 30, kinds={"network": 2, "logic": 28}))
    assert forecast(Workflow("w", (step("a"),)), known)[0].worst == "logic"


# --- before a run -------------------------------------------------------------------------------

PLAIN = """
steps:
  - {id: a, run: no-such-program-at-all --now}
  - {id: b, run: "cd x; no-such-other"}
  - {id: c, run: "helper() { :; }\\nhelper"}
  - {id: d, run: also-missing, remedies: [{run: install it, match: {kind: missing_dependency}}]}
  - {id: e, run: mine, env: {PATH: /opt}}
  - {id: f, run: ls}
"""


def test_missing_programs_of_one_line_commands_are_named(tmp_path: Path) -> None:
    workflow = load_text(PLAIN, tmp_path / "w.yaml")
    told = warnings(workflow, CheckpointManager(tmp_path / "checkpoints"), time.time())
    assert told == ["a: no-such-program-at-all is not found on PATH"]


def test_open_breakers_and_steps_that_fail_often_are_named(tmp_path: Path) -> None:
    workflow = load_text("steps: [{id: a, run: ls}]", tmp_path / "w.yaml")
    manager = CheckpointManager(tmp_path / "checkpoints")
    name = workflow.steps[0].content_hash[:HASH_CHARS]
    with manager.shared.update("history") as data:
        entry = {"step": "a", "workflow": "w", "ok": 10, "failed": 30, "kinds": {"logic": 30}}
        data["steps"] = {name: entry}
    (told,) = warnings(workflow, manager, time.time())
    assert told == "a fails often: 75% likely by 40 runs, mostly logic"


def test_the_look_ahead_reads_the_history_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "steps:\n" + "".join(f"  - {{id: s{n}, run: ls -l {n}}}\n" for n in range(200))
    workflow = load_text(text, tmp_path / "w.yaml")
    manager = CheckpointManager(tmp_path / "checkpoints")
    with manager.shared.update("history") as data:
        entry = {"step": "a", "workflow": "w", "ok": 40, "failed": 9, "seconds": [1.5] * 50}
        data["steps"] = {f"{n:016}": entry for n in range(2000)}
    seen_paths: list[str] = []
    read = Disk.read

    def counted(disk: Disk, path: str) -> bytes | None:
        seen_paths.append(path)
        return read(disk, path)

    monkeypatch.setattr(Disk, "read", counted)
    warnings(workflow, manager, time.time())
    assert len([path for path in seen_paths if path.endswith("history.json")]) == 1
    assert len(seen_paths) < 10, "not one for each step"


# --- while it runs ------------------------------------------------------------------------------


def test_a_step_that_is_slower_than_ever_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentrun.runner.watchful.LEAST_S", 0.2)
    waits = "until grep -qs 'than ever' checkpoints/*/journal.jsonl; do sleep 0.05; done"
    text = f'steps: [{{id: a, run: "test ! -e slow || {waits}"}}]'
    for _ in range(5):
        assert desk.run(text).state.warnings == ()
    (desk.folder / "slow").touch()
    done = desk.run(text)
    assert done.exit_code == 0
    assert any("slower than ever" in each for each in done.state.warnings)


BUDGET = """
    budget: {tokens: 100}
    steps:
      - &call
        id: a
        agent:
          prompt: hi
          cli:
            command: printf '{"r":"x","in":30,"out":15}'
            prompt: stdin
            result: r
            usage: {input_tokens: in, output_tokens: out}
      - {<<: *call, id: b}
      - {id: c, run: echo done}
"""


def test_what_a_failed_attempt_has_used_is_told_too(desk: Desk) -> None:
    desk.write("agent.sh", """printf '{"r":"x","in":30,"out":15}'; exit 1""")
    done = desk.run("""
        budget: {tokens: 50}
        steps:
          - id: a
            continue_on_error: true
            agent:
              prompt: hi
              cli:
                command: sh agent.sh
                prompt: stdin
                result: r
                usage: {input_tokens: in, output_tokens: out}
          - {id: b, run: echo done}
    """)
    assert done.state.step("a").failure is not None
    assert any("nearly used up" in each for each in done.state.warnings)


def test_a_budget_that_is_nearly_used_up_is_told_once(desk: Desk) -> None:
    done = desk.run(BUDGET)
    assert done.exit_code == 0, done.state.ending
    told = [each for each in done.state.warnings if "nearly used up" in each]
    assert told == ["the budget is nearly used up: 90 of 100 tokens used"]


def test_a_budget_that_is_used_up_at_once_is_not_called_nearly_so(desk: Desk) -> None:
    done = desk.run(BUDGET.replace("tokens: 100", "tokens: 40"))
    assert done.exit_code == 3
    assert done.state.warnings == ("the budget is used up: 45 of 40 tokens used",)

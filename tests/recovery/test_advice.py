"""What is recommended, on which numbers; what it writes to the file."""

from pathlib import Path

import pytest

from agentrun.core.model import Alternative, RetryPolicy, Step, Workflow
from agentrun.recovery.advice import Advice, advise, nice
from agentrun.recovery.history import HASH_CHARS, StepHistory
from agentrun.store.manager import CheckpointManager
from agentrun.workflow.load import load_text
from tests.cli.conftest import Agentrun, Write, _place, agentrun, write

__all__ = ["_place", "agentrun", "write"]
HASH = "h" * HASH_CHARS


def of(step: Step, **seen: object) -> list[Advice]:
    entry = StepHistory("a", "w", **seen)  # type: ignore[arg-type]
    return list(advise(Workflow("w", (step,)), {HASH: entry}, lambda _step: "api"))


def step(kind: str = "run", **more: object) -> Step:
    return Step("a", kind, {}, content_hash=HASH * 4, **more)  # type: ignore[arg-type]


def test_a_step_that_is_lost_often_needs_another_way() -> None:
    (advice,) = of(step(), ok=17, failed=3, kinds={"logic": 4})
    assert "fallback" in advice.text
    assert advice.numbers == "3 of 20 runs ended failed, mostly logic"
    assert advice.change is None
    assert of(step(fallback=(Alternative("run", {}),)), ok=17, failed=3) == []


def test_too_little_is_known_of_nine_runs() -> None:
    assert of(step(), ok=0, failed=9) == []


def test_what_passes_deserves_more_attempts() -> None:
    seen = {"ok": 99, "failed": 1, "kinds": {"network": 6}}
    (advice,) = of(step(), **seen)
    assert advice.change is not None
    assert (advice.change.key, advice.change.value) == ("retry", "{max_attempts: 5}")
    assert of(step(idempotent=False), **seen) == []
    assert of(step(retry=RetryPolicy(max_attempts=5)), **seen) == []


def test_a_call_should_not_hang_for_ever() -> None:
    (advice,) = of(step("http"), ok=20, seconds=[1.0] * 19 + [20.0])
    assert advice.change is not None
    assert advice.change.value == "1m"
    assert of(step("run"), ok=20, seconds=[20.0] * 20) == []


def test_a_limit_that_is_met_is_raised() -> None:
    seen = {"ok": 20, "seconds": [9.0] * 20, "kinds": {"timeout": 3}}
    texts = [each.text for each in of(step(timeout_s=10.0), **seen)]
    assert texts == ["give it more time: `timeout: 20s`"]


def test_a_component_that_refuses_is_called_less() -> None:
    advice = of(step("agent"), ok=20, kinds={"rate_limit": 3})[-1]
    assert advice.change is not None
    assert (advice.change.step, advice.change.value) == ("", "{api: {concurrency: 2}}")


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (31, "35s"), (60, "1m"), (61, "2m"), (3601, "2h")]
)
def test_limits_are_round(seconds: float, text: str) -> None:
    assert nice(seconds) == text


FILE = """\
name: jobs
# calls
steps:
  - id: call     # the one
    http: {method: GET, url: "http://127.0.0.1:9/x"}
  - {id: other, run: echo hi}
"""


def remembered(tmp_path: Path, file: Path, **seen: object) -> None:
    workflow = load_text(FILE, file)
    shared = CheckpointManager(tmp_path / "checkpoints").shared
    with shared.update("history") as data:
        entry = {"step": "call", "workflow": "jobs", "ok": 20, **seen}
        data["steps"] = {workflow.steps[0].content_hash[:HASH_CHARS]: entry}


def test_advice_is_shown_and_written_with_its_comments_kept(
    agentrun: Agentrun, write: Write, tmp_path: Path
) -> None:
    file = write("jobs.yaml", FILE)
    agentrun("run", str(file))
    remembered(tmp_path, file, failed=3, seconds=[2.0] * 20, kinds={"network": 9})
    shown = agentrun("stats", "--advice")
    assert "timeout: 10s" in shown.out
    assert "3 of 23 runs" in shown.out
    assert agentrun("stats", "--advice", "--json").json["advice"]
    assert file.read_text() == FILE
    assert agentrun("stats", "--advice", "--apply").code == 2, "nobody is there to agree"
    assert file.read_text() == FILE
    applied = agentrun("stats", "--advice", "--apply", "--yes")
    assert "+    timeout: 10s" in applied.out
    assert file.read_text() == FILE.replace(
        '9/x"}\n', '9/x"}\n    retry: {max_attempts: 5}\n    timeout: 10s\n'
    )


def test_patterns_are_shown_taken_along_and_forgotten(
    agentrun: Agentrun, write: Write, tmp_path: Path
) -> None:
    text = """
        inputs: {region: {type: string, default: eu}}
        debugger: {}
        steps: [{id: a, run: 'echo "$REGION"'}]
    """
    assert agentrun("run", str(write("w.yaml", text))).code == 0
    assert "set_env" in agentrun("stats", "--patterns").out
    assert "worked 1 of 1" in agentrun("stats", "--patterns").out
    assert agentrun("stats", "--patterns", "--export", "fixes.json").code == 0
    assert "1 pattern forgotten" in agentrun("stats", "--patterns", "--clear").err
    assert agentrun("stats", "--patterns").out == ""
    assert "1 new pattern" in agentrun("stats", "--patterns", "--import", "fixes.json").err
    assert agentrun("stats", "--patterns", "--json").json["patterns"][0]["fixes"]
    for bad in ("nothing.json", "w.yaml"):
        assert agentrun("stats", "--patterns", "--import", bad).code == 2
    assert agentrun("stats", "--clear", "--export", "x").code == 2

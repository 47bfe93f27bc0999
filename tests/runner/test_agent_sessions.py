"""`session: <step id>` with API models: a later step goes on with what an earlier one talked about."""

import os
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from agentrun.core.state import StepState
from tests.agents.test_model_api import Model
from tests.runner.conftest import Desk

PLAN = "- {id: plan, agent: {model: 'openai:gpt-5.1', prompt: make a plan}}"
WORK = "- {id: work, agent: {model: 'openai:gpt-5.1', prompt: carry it out, session: plan}}"


@pytest.fixture
def model(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Model:
    pytest.importorskip("pydantic_ai", reason="the extra [llm] is not installed")
    model = Model(httpserver)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", model.url)
    return model


def steps(*lines: str) -> str:
    return "\n".join(["steps:", *(f"  {line}" for line in lines)])


def asked(model: Model, number: int) -> list[str]:
    """Return what stood in the n-th request, in order."""
    return [_text(message["content"]) for message in model.seen[number]["messages"]]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def test_a_step_goes_on_with_the_conversation_it_names(desk: Desk, model: Model) -> None:
    model.says("three parts", "all done")
    done = desk.run(steps(PLAN, WORK))
    assert done.outputs == "all done"
    assert asked(model, 1) == ["make a plan", "three parts", "carry it out"]


def test_each_step_has_a_branch_of_its_own(desk: Desk, model: Model) -> None:
    model.says("three parts", "all done", "looks good")
    review = WORK.replace("id: work", "id: review").replace("carry it out", "review it")
    desk.run(steps(PLAN, WORK, review))
    assert asked(model, 2) == ["make a plan", "three parts", "review it"]


def test_a_branch_can_be_branched_again(desk: Desk, model: Model) -> None:
    model.says("three parts", "all done", "looks good")
    review = WORK.replace("id: work", "id: review").replace("session: plan", "session: work")
    desk.run(steps(PLAN, WORK, review))
    assert asked(model, 2)[:4] == ["make a plan", "three parts", "carry it out", "all done"]


def test_only_what_is_gone_on_with_stays_in_memory(desk: Desk, model: Model) -> None:
    model.says("three parts", "all done")
    done = desk.run(steps(PLAN, WORK))
    assert done.state.step("plan").messages
    assert done.state.step("work").messages == StepState().messages


def test_a_resume_after_the_first_step_has_its_conversation(desk: Desk, model: Model) -> None:
    model.says("three parts", "all done")
    ready = "- {id: ready, run: test -e ready}"
    stopped = desk.run(steps(PLAN, ready, WORK))
    assert stopped.exit_code == 1
    desk.write("ready", "")
    assert desk.resume(stopped).outputs == "all done"
    assert asked(model, 1) == ["make a plan", "three parts", "carry it out"]


def test_either_step_can_be_reset(desk: Desk, model: Model) -> None:
    model.says("three parts", "all done", "done again", "two parts", "done anew")
    done = desk.run(steps(PLAN, WORK))
    desk.resume(done, from_step="work")
    assert asked(model, 2) == ["make a plan", "three parts", "carry it out"]
    desk.resume(done, from_step="plan")
    assert asked(model, 3) == ["make a plan"]
    assert asked(model, 4) == ["make a plan", "two parts", "carry it out"]


@pytest.mark.parametrize("refused", ["plan", "work"])
def test_another_model_takes_over_with_the_conversation(
    desk: Desk, model: Model, refused: str
) -> None:
    other = "fallback: [{agent: {model: 'openai:gpt-5-mini'}}]"
    lines = [line.removesuffix("}") + f", {other}}}" for line in (PLAN, WORK)]
    answers = [401, "three parts", "done"] if refused == "plan" else ["three parts", 401, "done"]
    model.says(*answers)
    assert desk.run(steps(*lines)).outputs == "done"
    first, answer, then = asked(model, 2)
    assert first.endswith("make a plan")
    assert answer == "three parts"
    assert then.endswith("carry it out")
    assert model.seen[answers.index(401) + 1]["model"] == "gpt-5-mini"


def test_inside_of_items_each_goes_on_with_its_own(desk: Desk, model: Model) -> None:
    model.says("plan of a", "a done", "plan of b", "b done")
    desk.write("sub.yaml", steps(PLAN, WORK))
    done = desk.run(steps("- {id: each, for_each: [a, b], max_parallel: 1, workflow: sub.yaml}"))
    assert done.outputs == ["a done", "b done"]
    assert asked(model, 3) == ["make a plan", "plan of b", "carry it out"]


def test_all_items_go_on_from_one_plan(desk: Desk, model: Model) -> None:
    model.says("three parts", "one", "two")
    work = WORK.replace("id: work", "id: work, for_each: [1, 2], max_parallel: 1")
    assert desk.run(steps(PLAN, work)).outputs == ["one", "two"]
    assert asked(model, 1) == asked(model, 2) == ["make a plan", "three parts", "carry it out"]


def test_where_there_is_no_conversation_it_begins_afresh_and_says_so(
    desk: Desk, model: Model
) -> None:
    model.says("all done")
    skipped = PLAN.replace("id: plan", "id: plan, if: 'false'")
    done = desk.run(steps(skipped, WORK))
    assert asked(model, 0) == ["carry it out"]
    logs = (desk.root / done.task_id / "logs").rglob("*.log")
    told = "".join(path.read_text() for path in logs if os.sep + "work" in str(path))
    assert "step plan left no conversation" in told

"""A component that is closed for long: the workflow's own way round it comes before waiting."""

import pytest

from agentrun.core import events as ev
from agentrun.recovery.gate import Gate, NotYet
from agentrun.store.manager import CheckpointManager
from tests.runner.conftest import Desk

DOWN = "run: \"echo 'curl: (7) Failed to connect: Connection refused' >&2; exit 7\""
HEAD = """
    name: round
    breakers: {api: {failures: 1, window: 1h, cooldown: 1h}}
    steps:
      - {id: first, component: api, DOWN, retry: {max_attempts: 1}, continue_on_error: true}
""".replace("DOWN", DOWN)
SUB = """
    name: sub
    breakers: {api: {failures: 1, window: 1h, cooldown: 1h}}
    steps:
      - {id: call, component: api, run: echo never}
"""


def ran(desk: Desk, step: str) -> tuple[int, object, list[str]]:
    desk.write("sub.yaml", SUB)
    done = desk.run(HEAD + f"      - {step}\n")
    records = CheckpointManager(desk.root).read(done.task_id).records
    return done.exit_code, done.outputs, [type(each.event).__name__ for each in records]


def test_without_another_way_the_task_is_parked(desk: Desk) -> None:
    code, _outputs, events = ran(desk, "{id: a, component: api, run: echo never}")
    assert code == 75
    assert "StepParked" in events


@pytest.mark.parametrize(
    "step",
    [
        "{id: a, component: api, run: echo never, fallback: [{run: echo other}]}",
        "{id: a, component: api, run: echo never, fallback: [{run: echo other, component: b}]}",
        "{id: a, workflow: sub.yaml, fallback: [{run: echo other}]}",
    ],
)
def test_the_fallback_of_the_step_or_of_the_one_around_it_is_taken(desk: Desk, step: str) -> None:
    code, outputs, events = ran(desk, step)
    assert (code, outputs) == (0, "other")
    assert "StepParked" not in events


@pytest.mark.parametrize(
    "step",
    [
        "{id: a, component: api, run: echo never, continue_on_error: true}",
        "{id: a, workflow: sub.yaml, continue_on_error: true}",
    ],
)
def test_a_step_that_may_fail_does(desk: Desk, step: str) -> None:
    code, _outputs, events = ran(desk, step)
    assert code == 0
    assert "StepParked" not in events


def test_each_item_goes_its_own_way(desk: Desk) -> None:
    code, outputs, _events = ran(
        desk,
        "{id: a, for_each: [1, 2], component: api, run: echo never, "
        "fallback: [{run: 'echo \"other ${{ item }}\"'}]}",
    )
    assert (code, outputs) == (0, ["other 1", "other 2"])


def test_what_must_happen_once_and_may_have_happened_is_not_done_in_another_way(
    desk: Desk,
) -> None:
    said = "echo 'requests.exceptions.ReadTimeout: Read timed out.' >&2; exit 1"
    done = desk.run(f"""
        breakers: {{api: {{failures: 1, window: 1h, cooldown: 1h}}}}
        steps:
          - id: a
            component: api
            idempotent: false
            run: "{said}"
            retry: {{max_attempts: 3, delay: 1ms, on: [any]}}
            fallback: [{{run: touch paid}}]
    """)
    assert done.exit_code != 0
    assert not (desk.folder / "paid").exists()
    records = CheckpointManager(desk.root).read(done.task_id).records
    assert not [r for r in records if isinstance(r.event, ev.FallbackTaken)]


def test_a_limit_that_others_use_up_leads_round_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def admit(_gate: Gate, _component: str, now: float) -> NotYet:
        return NotYet(now + 3600, "1 of 1 places are taken", "limit", park=True)

    monkeypatch.setattr(Gate, "admit", admit)
    step = "{id: a, component: b, run: echo never, fallback: [{run: x}], continue_on_error: true}"
    done = desk.run(f"name: busy\nsteps:\n  - {step}\n")
    assert done.exit_code == 75

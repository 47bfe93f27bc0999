"""`run --dry-run`: order, rendered prompts, models, what it may cost; nothing is run."""

from agentrun.recovery.history import StepHistory
from agentrun.store.manager import CheckpointManager
from agentrun.workflow.load import load_file
from tests.cli.conftest import Agentrun, Write

PLAN = """
    name: plan
    inputs: {who: {type: string, default: ann}}
    steps:
      - {id: late, needs: [early], run: 'echo "${{ inputs.who }} ${{ steps.early.output }}"'}
      - {id: early, needs: [], run: echo x >> trace}
      - id: ask
        needs: [early]
        agent: {cli: claude, model: opus, prompt: "Hello ${{ inputs.who }}: ${{ steps.early.output }}"}
        fallback: [{agent: {cli: codex}}]
      - {id: file, agent: {cli: claude, prompt_file: p.md}}
      - {id: sub, workflow: sub.yaml, with: {name: "${{ inputs.who }}"}}
      - {id: sub2, workflow: sub.yaml, with: {name: "${{ steps.early.output }}"}}
"""
SUB = """
    inputs: {name: {type: string}}
    steps: [{id: in, run: 'echo "${{ inputs.name }}"'}]
"""


def prepared(write: Write) -> str:
    write("p.md", "{% if inputs.who == 'ann' %}Dear{% endif %} ${{ inputs.who }}\n")
    write("sub.yaml", SUB)
    return str(write("plan.yaml", PLAN))


def test_order_prompts_and_models(agentrun: Agentrun, write: Write) -> None:
    file = prepared(write)
    ran = agentrun("run", file, "--dry-run")
    assert ran.code == 0
    assert ran.out.index("early  run") < ran.out.index("late  run")
    assert "prompt: Hello ann: ${{ steps.early.output }}\n" in ran.out
    assert "prompt: Dear ann\n" in ran.out
    assert "model: opus\n" in ran.out
    assert "session" not in ran.out
    assert not (write("x", "").parent / "trace").exists()
    assert not (write("x", "").parent / "checkpoints").exists()


def test_the_steps_of_sub_workflows_stand_behind_them(agentrun: Agentrun, write: Write) -> None:
    steps = {
        each["id"]: each
        for each in agentrun("run", prepared(write), "--dry-run", "--json").json["steps"]
    }
    assert steps["sub/in"]["spec"] == {"command": 'echo "ann"'}
    assert steps["sub2/in"]["spec"] == {"command": 'echo "${{ inputs.name }}"'}
    assert steps["sub/in"]["wave"] == steps["sub"]["wave"] == 4


def test_what_it_may_cost_is_told_from_the_past(agentrun: Agentrun, write: Write) -> None:
    file = prepared(write)
    assert (
        "cost      price unknown (2 agent steps without a past)"
        in agentrun("run", file, "--dry-run").out
    )
    workflow = load_file(write("x", "").parent / "plan.yaml")
    ask = next(step for step in workflow.steps if step.id == "ask")
    manager = CheckpointManager(write("x", "").parent / "checkpoints")
    from msgspec import to_builtins

    past = StepHistory("ask", "plan", 3, 0, [1.0, 2.0, 9.0], [0.01, 0.02, 0.4])
    with manager.shared.update("history") as data:
        data["steps"] = {ask.content_hash[:16]: to_builtins(past)}
    out = agentrun("run", file, "--dry-run").out
    assert "before: 2.0 s, $0.0200 (3 runs)\n" in out
    assert "expected  2.0 s of work, going by the past of 1 of 8 steps\n" in out
    assert "cost      at least $0.0200 (1 agent step without a past)\n" in out

"""Which conversation an attempt goes on with, and what the agent is told."""

import json
from collections.abc import Callable
from typing import Any

from agentrun.core.failure import Evidence, Kind
from agentrun.core.outcome import Success, Usage
from agentrun.steps.agents import memory
from agentrun.steps.agents.memory import Remembered
from tests.agents.fake_cli import FakeCli
from tests.agents.world import World, failure

Fake = Callable[[str], FakeCli]
LIMITED = failure(Kind.RATE_LIMIT, "API Error: 429")


def perform(world: World, cli: str, more: dict[str, Any] | None = None, **changes: Any) -> Success:
    spec = {"cli": cli, "prompt": "the task", **(more or {})}
    outcome = world.attempt(spec, **changes)
    assert isinstance(outcome, Success), outcome
    return outcome


def test_a_retry_goes_on_in_the_same_session_with_the_error(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    outcome = perform(world, "claude")
    perform(world, "claude", session=outcome.session, last_failure=LIMITED)
    second = claude.calls[1]
    assert ["--resume", outcome.session] == second.args[4:6]
    assert "--session-id" not in second.args
    assert "API Error: 429" in second.stdin
    assert "the task" in second.stdin


def test_interrupted_work_is_gone_on_with(world: World, fake: Fake) -> None:
    codex = fake("codex").plays("codex.answer")
    memory.remember(world.state, Remembered("T1", "codex"))
    perform(world, "codex", session="T1")
    assert codex.calls[0].args[-3:] == ["resume", "T1", "-"]
    assert "interrupted" in codex.calls[0].stdin


def test_the_next_round_only_says_what_is_new(world: World, fake: Fake) -> None:
    codex = fake("codex").plays("codex.answer")
    memory.remember(world.state, Remembered("T1", "codex", round=1))
    perform(world, "codex", session="T1", round=2)
    assert codex.calls[0].stdin == "the task"
    assert codex.calls[0].args[-3:] == ["resume", "T1", "-"]


def test_another_steps_session_is_forked(world: World, fake: Fake) -> None:
    claude, codex = fake("claude").plays("claude.answer"), fake("codex").plays("codex.answer")
    perform(world, "claude", {"session": "plan"}, session="S-of-plan")
    perform(world, "codex", {"session": "plan"}, session="T-of-plan")
    assert claude.calls[0].args[4:7] == ["--resume", "S-of-plan", "--fork-session"]
    assert codex.calls[0].args[-3:] == ["fork", "T-of-plan", "-"]
    assert claude.calls[0].stdin == "the task"


def test_the_fork_is_then_the_steps_own(world: World, fake: Fake) -> None:
    codex = fake("codex").plays("codex.answer")
    outcome = perform(world, "codex", {"session": "plan"}, session="T-of-plan")
    perform(world, "codex", {"session": "plan"}, session=outcome.session, last_failure=LIMITED)
    assert codex.calls[1].args[-3] == "resume"


def test_fresh_means_fresh(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    perform(world, "claude", {"session": "fresh"}, session="S", last_failure=LIMITED)
    assert "--resume" not in claude.calls[0].args
    assert "API Error: 429" in claude.calls[0].stdin


def test_a_lost_session_is_replaced_at_once(world: World, fake: Fake) -> None:
    for cli, session in (("claude", "S-gone"), ("codex", "T-gone")):
        played = fake(cli).plays(f"{cli}.gone", f"{cli}.answer")
        outcome = perform(world, cli, session=session, last_failure=LIMITED)
        assert outcome.session != session
        assert outcome.session == world.sessions[-1]
        assert len(played.calls) == 2
        assert "resume" not in " ".join(played.calls[1].args)
    assert "is lost" in world.log.tail()


def test_a_fresh_start_after_a_loss_has_a_summary(world: World, fake: Fake) -> None:
    fake("codex").plays("codex.command")
    first = perform(world, "codex")
    codex = FakeCli(world.folder / "work", "codex").plays("codex.gone", "codex.answer")
    env = {**world.env, "PATH": f"{codex.bin}:{world.env['PATH']}"}
    world.log.close()
    perform(world, "codex", session=first.session, env=env)
    assert "touch /home/x1" in codex.calls[1].stdin


def test_a_full_conversation_is_not_gone_on_with(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    full = failure(Kind.CONTEXT_OVERFLOW, "prompt is too long")
    perform(world, "claude", session="S", last_failure=full)
    assert "--resume" not in claude.calls[0].args


def test_a_session_that_fails_twice_is_a_failure(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.gone", "claude.rate_limit")
    spec = {"cli": "claude", "prompt": "x"}
    outcome = world.attempt(spec, session="S", last_failure=LIMITED)
    assert isinstance(outcome, Evidence)
    assert outcome.status == 429
    assert len(claude.calls) == 2


def turn(total_in: int, total_out: int) -> str:
    usage = {"input_tokens": total_in, "output_tokens": total_out}
    lines = [
        {"type": "thread.started", "thread_id": "T1"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "ok"}},
        {"type": "turn.completed", "usage": usage},
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_codex_tells_the_usage_of_the_thread_and_each_token_counts_once(
    world: World, fake: Fake
) -> None:
    fake("codex").prints(turn(1000, 200)).prints(turn(1700, 260))
    assert perform(world, "codex").usage == Usage(1000, 200, 1)
    second = perform(world, "codex", session="T1", last_failure=LIMITED)
    assert second.usage == Usage(700, 60, 1)


def test_usage_of_a_thread_of_another_step_is_not_paid_again(world: World, fake: Fake) -> None:
    folder = world.folder / ".codex/sessions/2026/11/23"
    folder.mkdir(parents=True)
    count = {"total_token_usage": {"input_tokens": 900, "output_tokens": 100}}
    line = {"type": "event_msg", "payload": {"type": "token_count", "info": count}}
    (folder / "rollout-2026-11-23T18-00-00-T0.jsonl").write_text(json.dumps(line) + "\n")
    fake("codex").prints(turn(1000, 200))
    outcome = perform(world, "codex", {"session": "plan"}, session="T0")
    assert outcome.usage == Usage(100, 100, 1)


def test_a_long_task_is_not_said_twice(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    memory.remember(world.state, Remembered("S", "claude"))
    perform(world, "claude", {"prompt": "x" * 30_000}, session="S", last_failure=LIMITED)
    assert len(claude.calls[0].stdin) < 1000


def test_a_complaint_about_the_answer_is_said_once(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    bad = failure(Kind.OUTPUT_FORMAT, "the output does not fit: COMPLAINT")
    perform(world, "claude", session="S", last_failure=bad, prompt_additions=("Mind: COMPLAINT",))
    assert claude.calls[0].stdin.count("COMPLAINT") == 1

"""What runs used that did not come to their end: nothing is lost unseen, nothing is paid twice."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrun.core.outcome import Success, TurnDone, Usage
from agentrun.steps.agent import KIND
from agentrun.steps.agents.memory import Remembered, recall, remember
from tests.agents.fake_cli import FakeCli
from tests.agents.world import World

Fake = Callable[[str], FakeCli]
TURN_1 = {
    "type": "assistant",
    "message": {
        "id": "m1",
        "model": "claude-opus-4-8",
        "content": [],
        "usage": {"input_tokens": 500, "cache_read_input_tokens": 400, "output_tokens": 50},
    },
}
STEP = {
    "type": "step_finish",
    "sessionID": "ses_1",
    "part": {"reason": "tool-calls", "cost": 0.5, "tokens": {"input": 100, "output": 10}},
}


def left_by_a_killed_run(world: World, cli: str, *lines: dict[str, Any]) -> None:
    log = world.folder / "killed.log"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    remember(world.state, Remembered("S", cli, 1, None, str(log), open=True))


def test_what_a_killed_run_of_claude_used_is_counted_by_the_next(world: World, fake: Fake) -> None:
    pytest.importorskip("genai_prices", reason="the extra [llm] is not installed")
    fake("claude").plays("claude.answer")
    left_by_a_killed_run(world, "claude", TURN_1, TURN_1)
    outcome = world.attempt({"cli": "claude", "prompt": "x"}, session="S")
    assert isinstance(outcome, Success)
    [lost] = [note.usage for note in world.turns]
    assert lost is not None
    assert (lost.input_tokens, lost.output_tokens, lost.cached_tokens) == (900, 50, 400)
    assert lost.usd
    assert lost.unpriced
    assert outcome.usage == Usage(1000, 200, 1, 0.01, "claude-opus-4-8")
    world.attempt({"cli": "claude", "prompt": "x"}, session="S")
    assert len(world.turns) == 1


def test_what_a_killed_run_of_codex_used_stands_in_its_thread(world: World, fake: Fake) -> None:
    folder = world.folder / ".codex/sessions/2026/11/23"
    folder.mkdir(parents=True)
    count = {"total_token_usage": {"input_tokens": 900, "output_tokens": 100}}
    line = {"type": "event_msg", "payload": {"type": "token_count", "info": count}}
    (folder / "rollout-2026-11-23T18-00-00-S.jsonl").write_text(json.dumps(line) + "\n")
    left_by_a_killed_run(world, "codex", {"type": "thread.started", "thread_id": "S"})
    usage = {"input_tokens": 1000, "output_tokens": 200}
    lines = [
        {"type": "thread.started", "thread_id": "S"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "ok"}},
        {"type": "turn.completed", "usage": usage},
    ]
    fake("codex").prints("".join(json.dumps(line) + "\n" for line in lines))
    outcome = world.attempt({"cli": "codex", "prompt": "x"}, session="S")
    assert isinstance(outcome, Success)
    assert world.turns == [TurnDone(None, Usage(900, 100, usd_unknown=True))]
    assert outcome.usage == Usage(100, 100, 1)


def test_what_a_run_used_that_is_ended_by_us_is_noted_at_once(world: World, fake: Fake) -> None:
    fake("opencode").prints(json.dumps(STEP) + "\n", then="exec sleep 60")

    async def ended() -> None:
        work = asyncio.ensure_future(
            KIND.execute(world.context({"cli": "opencode", "prompt": "x"}))
        )
        await world.noted.wait()
        work.cancel()
        await asyncio.wait({work})
        assert work.cancelled()

    asyncio.run(ended())
    assert world.turns == [TurnDone(None, Usage(100, 10, 1, 0.5, usd_unknown=True))]
    past = recall(world.state)
    assert past is not None
    assert not past.open


def test_a_price_that_claude_guesses_is_no_price(world: World, fake: Fake) -> None:
    used = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 90, "costUSD": 0.2}
    line = {
        "type": "result",
        "result": "ok",
        "total_cost_usd": 0.2,
        "num_turns": 1,
        "usage": {"input_tokens": 10},
        "modelUsage": {"my-own-model": used},
    }
    fake("claude").prints(json.dumps(line))
    outcome = world.attempt({"cli": "claude", "prompt": "x", "model": "my-own-model"})
    assert isinstance(outcome, Success)
    assert outcome.usage == Usage(100, 5, 1, None, "my-own-model", 90)


def test_cached_tokens_have_their_own_price(world: World) -> None:
    pytest.importorskip("genai_prices", reason="the extra [llm] is not installed")
    whole = priced(world, cached=0)
    assert whole is not None
    cached = priced(world, cached=900)
    assert cached is not None
    assert 0 < cached < whole / 2


def priced(world: World, *, cached: int) -> float | None:
    folder = Path(world.folder / str(cached))
    folder.mkdir()
    usage = {"input_tokens": 1000, "cached_input_tokens": cached, "output_tokens": 1}
    lines = [
        {"type": "item.completed", "item": {"type": "agent_message", "text": "ok"}},
        {"type": "turn.completed", "usage": usage},
    ]
    codex = FakeCli(folder, "codex").prints("".join(json.dumps(line) + "\n" for line in lines))
    env = {**world.env, "PATH": f"{codex.bin}:{world.env['PATH']}"}
    outcome = world.attempt({"cli": "codex", "model": "gpt-5.1", "prompt": "x"}, env=env)
    assert isinstance(outcome, Success)
    assert outcome.usage is not None
    return outcome.usage.usd

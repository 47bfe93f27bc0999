"""What the real CLIs printed, read and judged: recordings of Claude Code 2.1.197 and Codex 0.169."""

import asyncio
import json
import shlex
from collections.abc import Callable

import pytest

from agentrun.core.failure import Evidence, Kind
from agentrun.core.outcome import SessionKnown, Success, Usage
from agentrun.failures.classify import classify
from agentrun.steps.agent import KIND
from tests.agents.fake_cli import FakeCli
from tests.agents.world import World

Fake = Callable[[str], FakeCli]


def perform(world: World, cli: str, **more: object) -> Success | Evidence:
    return world.attempt({"cli": cli, "prompt": "do it", **more})


def test_claude_answers(world: World, fake: Fake) -> None:
    fake("claude").plays("claude.answer")
    outcome = perform(world, "claude")
    assert outcome == Success(
        "ALPHA",
        0,
        Usage(1000, 200, 1, 0.01, "claude-opus-4-8"),
        "51111111-2222-4333-8444-555555555554",
    )


def test_codex_answers(world: World, fake: Fake) -> None:
    fake("codex").plays("codex.answer")
    outcome = perform(world, "codex")
    assert isinstance(outcome, Success)
    assert outcome.output == "ALPHA"
    assert outcome.session == world.sessions[0]
    assert outcome.usage == Usage(1000, 200, 1)


FAILURES = [
    ("claude.rate_limit", Kind.RATE_LIMIT, 429),
    ("claude.bad_key", Kind.AUTH, 401),
    ("claude.too_long", Kind.CONTEXT_OVERFLOW, 400),
    ("claude.no_model", Kind.NOT_FOUND, 404),
    ("claude.malformed", Kind.NETWORK, None),
    ("claude.server_error", Kind.OVERLOADED, 500),
    ("claude.disconnect", Kind.NETWORK, None),
    ("claude.old_version", Kind.INVALID_CONFIG, None),
    ("claude.max_turns", Kind.LOGIC, None),
    ("codex.rate_limit", Kind.RATE_LIMIT, 429),
    ("codex.bad_key", Kind.AUTH, 401),
    ("codex.too_long", Kind.CONTEXT_OVERFLOW, None),
    ("codex.malformed", Kind.NETWORK, None),
    ("codex.server_error", Kind.OVERLOADED, 500),
    ("codex.disconnect", Kind.NETWORK, None),
    ("codex.refused", Kind.NETWORK, None),
]


@pytest.mark.parametrize(("recording", "kind", "status"), FAILURES)
def test_a_failure_keeps_its_structure(
    world: World, fake: Fake, recording: str, kind: Kind, status: int | None
) -> None:
    cli = recording.partition(".")[0]
    fake(cli).plays(recording)
    outcome = perform(world, cli)
    assert isinstance(outcome, Evidence)
    assert (classify(outcome).kind, outcome.status) == (kind, status)
    assert '{"type"' not in outcome.text


def test_the_session_is_noted_before_claude_starts(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.rate_limit")
    perform(world, "claude")
    first = world.notes[0]
    assert isinstance(first, SessionKnown)
    args = claude.calls[0].args
    assert args[args.index("--session-id") + 1] == first.session


def test_codex_session_is_noted_while_it_still_works(world: World, fake: Fake) -> None:
    line = '{"type":"thread.started","thread_id":"T1"}\n'
    fake("codex").prints(line, then="exec sleep 60")

    async def killed_in_the_middle() -> None:
        work = asyncio.ensure_future(
            KIND.execute(world.context({"cli": "codex", "prompt": "do it"}))
        )
        await world.noted.wait()
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    asyncio.run(killed_in_the_middle())
    assert world.sessions == ["T1"]


def test_a_cli_that_waits_by_itself_is_ended(world: World, fake: Fake) -> None:
    out = (
        '{"type":"thread.started","thread_id":"T1"}\n'
        '{"type":"error","message":"Reconnecting... waiting for network (Connection failed)"}\n'
    )
    fake("codex").prints(out, then="exec sleep 60")
    outcome = perform(world, "codex")
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.NETWORK


def test_no_retries_inside(world: World, fake: Fake) -> None:
    claude, codex = fake("claude").plays("claude.answer"), fake("codex").plays("codex.answer")
    perform(world, "claude")
    perform(world, "codex")
    assert claude.calls[0].env["CLAUDE_CODE_MAX_RETRIES"] == "0"
    assert claude.calls[0].env["CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK"] == "1"
    flags = " ".join(codex.calls[0].args)
    assert '"request_max_retries"=0' in flags
    assert '"stream_max_retries"=0' in flags
    assert "unbounded_connection_retries=false" in flags


def test_what_the_workflow_sets_stands_over_what_the_cli_needs(world: World, fake: Fake) -> None:
    claude = fake("claude").plays("claude.answer")
    own = {"CLAUDE_CODE_MAX_RETRIES": "3"}
    spec = {"cli": "claude", "prompt": "x"}
    world.attempt(spec, own_env=own, env={**world.env, **own})
    assert claude.calls[0].env["CLAUDE_CODE_MAX_RETRIES"] == "3"


def test_a_custom_provider_of_codex_keeps_its_settings(world: World, fake: Fake) -> None:
    home = world.folder / ".codex"
    home.mkdir()
    (home / "config.toml").write_text('model_provider = "mine"\nmodel = "gpt-5.1"\n')
    codex = fake("codex").plays("codex.answer")
    perform(world, "codex")
    assert "model_providers.mine.request_max_retries=0" in codex.calls[0].args
    assert not any("agentrun" in word for word in codex.calls[0].args)


def test_a_denied_tool_fails_only_where_the_step_says_so(world: World, fake: Fake) -> None:
    fake("claude").plays("claude.denied")
    outcome = perform(world, "claude")
    assert isinstance(outcome, Success)
    assert dict(outcome.extra)["denials"] == ["Write"]
    outcome = perform(world, "claude", deny_is_failure=True)
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.PERMISSION


def test_garbage_instead_of_json(world: World, fake: Fake) -> None:
    fake("claude").prints("surprise\n")
    outcome = perform(world, "claude")
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.OUTPUT_FORMAT
    assert "surprise" in outcome.text


def test_a_stream_cut_off_before_its_last_line_is_no_success(world: World, fake: Fake) -> None:
    fake("codex").prints('{"type":"thread.started","thread_id":"T1"}\n{"type":"turn.sta')
    assert isinstance(perform(world, "codex"), Evidence)


def test_a_missing_cli_says_how_to_get_it(world: World) -> None:
    outcome = perform(world, "claude")
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.MISSING_DEPENDENCY
    headline = (
        "claude: command not found; install it with `npm install -g @anthropic-ai/claude-code`"
    )
    assert outcome.text == headline


def test_a_cli_killed_by_a_signal(world: World, fake: Fake) -> None:
    fake("claude").prints("", then="kill -KILL $$")
    outcome = perform(world, "claude")
    assert isinstance(outcome, Evidence)
    assert outcome.signal == "SIGKILL"


def test_usage_of_a_failed_run_is_noted(world: World, fake: Fake) -> None:
    line = (
        '{"type":"result","is_error":true,"result":"API Error: 500","api_error_status":500,'
        '"total_cost_usd":0.5,"usage":{"input_tokens":9,"output_tokens":1},"num_turns":3}\n'
    )
    fake("claude").prints(line, code=1)
    perform(world, "claude")
    assert [turn.usage for turn in world.turns] == [Usage(9, 1, 3, 0.5)]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-5", "1e300", '"x"', "true"])
def test_a_number_that_is_no_count_counts_nothing(world: World, fake: Fake, number: str) -> None:
    fake("claude").prints(
        f'{{"type":"result","is_error":true,"result":"no","api_error_status":{number},'
        f'"total_cost_usd":{number},"usage":{{"input_tokens":{number},"output_tokens":1}},'
        f'"num_turns":{number}}}\n',
        code=1,
    )
    perform(world, "claude")
    assert [turn.usage for turn in world.turns] == [Usage(0, 1, 0, None)]


def test_the_schema_goes_to_codex_where_its_api_takes_it(world: World, fake: Fake) -> None:
    from agentrun.core.model import OutputSpec

    codex = fake("codex").plays("codex.answer")
    closed = {
        "type": "object",
        "properties": {"x": {"type": "string"}},
        "required": ["x"],
        "additionalProperties": False,
    }
    for schema in (closed, {**closed, "additionalProperties": True}):
        spec = {"cli": "codex", "prompt": "do it"}
        world.attempt(spec, output=OutputSpec("schema", schema))
    first, second = codex.calls
    assert "--output-schema" in first.args
    assert "--output-schema" not in second.args
    assert '"required": ["x"]' in second.stdin


@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_what_is_given_to_an_mcp_server_is_in_no_argument(
    world: World, fake: Fake, cli: str
) -> None:
    called = fake(cli).plays(f"{cli}.answer")
    shelf = {"command": "shelf", "args": ["-v"], "env": {"TOKEN": "of the shelf"}}
    desk = {"url": "http://localhost:1/mcp", "headers": {"X-Token": "of the desk"}}
    perform(world, cli, mcp={"shelf": shelf, "desk": desk})
    (call,) = called.calls
    assert "of the" not in " ".join(call.args)
    assert call.env["AGENTRUN_MCP_0_0"] == "of the shelf"
    assert call.env["AGENTRUN_MCP_1_0"] == "of the desk"
    told = " ".join(call.args)
    assert "AGENTRUN_MCP_0_0" in told
    assert "AGENTRUN_MCP_1_0" in told


NEWS = '{"kind": "hello", "v": 99}\n{"kind": "final", "answer": "ALPHA"}\n'
RENAMED = {
    "claude": '{"type": "result", "session_id": "S", "answer": "ALPHA"}\n',
    "codex": '{"type": "thread.started", "thread_id": "T"}\n{"type": "turn.completed"}\n',
}


def of_version(fake: Fake, cli: str, out: str, code: int = 0, err: str = "") -> FakeCli:
    """Return a CLI that prints this at its first call and tells its version at the second."""
    return fake(cli).prints(out, err, code).prints("99.0.0 (Next)\n")


@pytest.mark.parametrize("cli", ["claude", "codex", "gemini", "opencode"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_version_whose_output_nobody_knows_is_named(
    world: World, fake: Fake, cli: str, code: int
) -> None:
    program = of_version(fake, cli, NEWS, code)
    outcome = perform(world, cli)
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.MISSING_DEPENDENCY
    assert "ALPHA" in outcome.text
    assert "99.0.0 (Next); agentrun knows" in outcome.text
    assert program.calls[1].args == ["--version"]


@pytest.mark.parametrize("cli", ["claude", "codex"])
def test_an_answer_under_another_name_is_no_empty_answer(
    world: World, fake: Fake, cli: str
) -> None:
    of_version(fake, cli, RENAMED[cli])
    outcome = perform(world, cli)
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.OUTPUT_FORMAT
    assert "99.0.0" in outcome.text


def test_a_version_that_does_not_know_our_flags_is_named(world: World, fake: Fake) -> None:
    of_version(fake, "claude", "", 1, "error: unknown option '--verbose'\n")
    outcome = perform(world, "claude")
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.INVALID_CONFIG
    assert "99.0.0" in outcome.text.splitlines()[-1]


def test_a_retry_of_opencode_is_ended_before_it_asks_again(world: World, fake: Fake) -> None:
    line = 'timestamp=1 level=ERROR message="stream error" small=false agent=build'
    told = f'{line} error.error="AI_APICallError: Too many requests"\n'
    fake("opencode").prints("", told, then="exec sleep 60")
    outcome = perform(world, "opencode")
    assert isinstance(outcome, Evidence)
    assert classify(outcome).kind is Kind.RATE_LIMIT


def test_a_refusal_that_opencode_tells_keeps_its_structure(world: World, fake: Fake) -> None:
    log = 'timestamp=1 level=ERROR message="stream error" small=false error.error="No: bad key"\n'
    data = {"message": "bad key", "statusCode": 401, "responseBody": "{}"}
    line = json.dumps({"type": "error", "sessionID": "S", "error": {"data": data}})
    fake("opencode").prints("", log, 1, then=f"echo {shlex.quote(line)}")
    outcome = perform(world, "opencode")
    assert isinstance(outcome, Evidence)
    assert (classify(outcome).kind, outcome.status) == (Kind.AUTH, 401)
    assert outcome.text.splitlines()[-1] == "bad key"


def test_what_opencode_only_logs_is_its_error(world: World, fake: Fake) -> None:
    logged = "timestamp=2026-11-29T18:12:34.608Z level=ERROR run=2a82faff message=failed ref=err_1"
    logged += ' error="ProviderModelNotFoundError: Model not found: local/nope." cause="at x"\n'
    data = {"message": "Unexpected server error. Check server logs for details.", "ref": "err_1"}
    line = {"type": "error", "sessionID": "ses_1", "error": {"name": "UnknownError", "data": data}}
    fake("opencode").prints(json.dumps(line) + "\n", logged, 1)
    outcome = world.attempt({"cli": "opencode", "prompt": "x", "model": "local/nope"})
    assert isinstance(outcome, Evidence)
    assert outcome.text == "ProviderModelNotFoundError: Model not found: local/nope."
    assert classify(outcome).kind is Kind.NOT_FOUND


def test_opencode_asks_for_no_title(world: World, fake: Fake) -> None:
    opencode = fake("opencode").prints("")
    perform(world, "opencode")
    assert "--title" in opencode.calls[0].args

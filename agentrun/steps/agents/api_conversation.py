"""A conversation with a model: turn by turn, each durable before the next.

Owns the loop over pydantic-ai's nodes and the translation of its errors. The library's own re-asks
are off (an answer that does not fit is the runner's to send back); a tool may still refuse its
arguments (`ModelRetry`), which is part of the conversation.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from pydantic_ai import Agent, NativeOutput, StructuredDict, UsageLimits
from pydantic_ai.agent import AgentRun, ModelRequestNode
from pydantic_ai.exceptions import (
    AgentRunError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.models import Model

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success, TurnDone, Usage
from agentrun.errors import AgentrunError
from agentrun.steps import streams
from agentrun.steps.agent import AgentSpec
from agentrun.steps.agents import api_errors, api_history, api_tools, prices, prompt
from agentrun.steps.agents.api_model import AgentAuthenticationError, build_model, settings_of
from agentrun.steps.agents.memory import Conversation
from agentrun.steps.agents.strict_schema import strict
from agentrun.steps.agents.verdict import AgentConfigError, evidence_of
from agentrun.steps.calling import settle
from agentrun.steps.kind import StepContext

MAX_TURNS = 100
"""Model calls of one attempt when the workflow sets no `max_turns`."""


async def converse(
    ctx: StepContext, spec: AgentSpec, name: str, task: str, talk: Conversation
) -> Success | Evidence:
    """Go on with the conversation, or begin it, until the model has answered."""
    start = _beginning(ctx, task, talk)
    if start.answered is not None:
        return Success(start.answered)
    if talk.why == "interrupted" and start.asked:  # nobody tells what a killed call used
        await ctx.note(TurnDone(ctx.messages, Usage(usd_unknown=True)))
    turns = _Turns(ctx, name)
    outcome = await settle(_answer(ctx, spec, name, start, turns))
    if turns.broken is not None:
        raise turns.broken
    return outcome


async def _answer(
    ctx: StepContext, spec: AgentSpec, name: str, start: api_history.Beginning, turns: "_Turns"
) -> Json | Evidence:
    """Return the model's answer, or evidence for the errors that have a meaning of their own."""
    most = spec.max_turns or MAX_TURNS
    try:
        agent = _agent(build_model(name, spec, ctx.env), spec, ctx)
        with streams.PrintingTo(ctx.log):
            return await turns.run(agent, start, most)
    except UsageLimitExceeded:
        text = f"max turns ({most}) exceeded: the model still asks for tools; see `max_turns`"
        return Evidence("llm", text)
    except UnexpectedModelBehavior as error:
        if turns.last_text and ctx.output.form in {"schema", "json"}:
            return turns.last_text  # the runner says what does not fit, and repairs
        return api_errors.evidence(error)
    except (AgentConfigError, AgentAuthenticationError) as error:
        return evidence_of(error)
    except (AgentRunError, UserError, ImportError) as error:
        return api_errors.evidence(error)


def _beginning(ctx: StepContext, task: str, talk: Conversation) -> api_history.Beginning:
    resumed = talk.resume is not None
    messages = api_history.from_json(ctx.messages) if resumed else []
    if talk.fork:
        messages = api_history.settled(messages)
    text = prompt.whole(ctx, task, talk if messages else Conversation(talk.why))
    return api_history.beginning(messages, text, is_news=talk.why in {"again", "next"})


def _agent(model: Model, spec: AgentSpec, ctx: StepContext) -> Agent[None, Any]:
    return Agent(
        model,
        output_type=_output_type(model, spec, prompt.schema_of(ctx.output)),
        instructions=spec.system,
        model_settings=settings_of(spec),
        tools=api_tools.functions(spec, ctx),
        toolsets=api_tools.toolsets(spec, ctx),
        retries={"output": 0},
    )


def _output_type(model: Model, spec: AgentSpec, schema: Mapping[str, Json] | None) -> Any:
    """Return the schema where the provider itself holds the model to it, else plain text."""
    able = model.profile.get("supports_json_schema_output", False)
    if schema is None or spec.base_url or not able or not strict(schema):
        return str
    return NativeOutput(StructuredDict(dict(schema), name="answer"), template=False)


class _Turns:
    """Runs a conversation and notes each turn."""

    def __init__(self, ctx: StepContext, model: str) -> None:
        self._ctx = ctx
        self._model = model
        self.last_text = ""
        self.broken: AgentrunError | None = None

    async def run(self, agent: Agent[None, Any], start: api_history.Beginning, most: int) -> Json:
        limits = UsageLimits(request_limit=most)
        async with (
            agent,
            agent.iter(start.message, message_history=start.history, usage_limits=limits) as run,
        ):
            node = run.next_node
            while not Agent.is_end_node(node):
                if Agent.is_model_request_node(node):
                    node = await self._turn(run, node)
                else:
                    node = await run.next(node)
        assert run.result is not None
        return run.result.output

    async def _turn(self, run: AgentRun[None, Any], node: ModelRequestNode[None, Any]) -> Any:
        """Ask the model once."""
        before = known = list(run.all_messages())
        if api_history.holds_results(node.request):
            known = [*before, node.request]
            await self._note(known, None)
        try:
            async with node.stream(run.ctx) as events:
                async for event in events:
                    self._log(_text(event))
        except asyncio.CancelledError:  # nobody tells what a call used that was cut off
            cut_off = TurnDone(api_history.to_json(known), Usage(usd_unknown=True))
            self._noting = asyncio.ensure_future(self._ctx.note(cut_off))
            await asyncio.sleep(0)
            raise
        following = await run.next(node)
        messages = list(run.all_messages())
        response = messages[-1]
        if isinstance(response, ModelResponse) and len(messages) > len(before):
            self._see(response)
            await self._note(messages, self._usage(response))
        return following

    def _see(self, response: ModelResponse) -> None:
        self.last_text = api_history.text_of(response)
        self._log("\n" if self.last_text else "")
        for call in response.tool_calls:
            self._log(f"[tool] {call.tool_name} {call.args_as_json_str()[:2000]}\n")

    async def _note(self, messages: list[ModelMessage], usage: Usage | None) -> None:
        """Make the turn durable; that it can't be is no failure of the step."""
        try:
            await self._ctx.note(TurnDone(api_history.to_json(messages), usage))
        except AgentrunError as error:
            self.broken = error
            raise

    def _usage(self, response: ModelResponse) -> Usage:
        used = response.usage
        usd = None
        with contextlib.suppress(LookupError, ValueError, AssertionError):
            usd = float(response.cost().total_price)
        usage = Usage(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            requests=1,
            usd=usd,
            model=response.model_name,
            cached_tokens=used.cache_read_tokens,
        )
        return prices.priced(usage, self._model.partition(":")[2], "")

    def _log(self, text: str) -> None:
        self._ctx.log.write(text.encode())


def _text(event: object) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
    return ""

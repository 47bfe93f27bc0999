"""One attempt with a model API, through pydantic-ai (the extra `[llm]`).

Owns the way from spec to conversation and what its end means. A turn is durable before the next
begins: the history is noted after every answer of the model, and again when the tools it called
have returned, so that a killed attempt asks nothing twice and runs no tool twice. The usage stands
in those notes alone, not in the `Success`: each token is counted once.

pydantic-ai is imported by api_*.py, which are imported here when a step runs.
"""

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.agents import memory, prices, prompt
from agentrun.steps.agents.verdict import AgentConfigError, evidence_of
from agentrun.steps.agents.written import spec_of
from agentrun.steps.kind import StepContext

INSTALL = "pip install 'agentrun-cli[llm]'"


async def execute(ctx: StepContext) -> Success | Evidence:
    """Converse with the model until it has answered."""
    try:
        spec = spec_of(ctx.spec)
        task = prompt.task(ctx, str(spec.prompt), spec.files, ctx.cwd)
        model = spec.model[0] if isinstance(spec.model, list) else str(spec.model)
        context = spec.context_tokens or prices.context_tokens(model)
        prompt.check_size(task, context, model)
    except (AgentConfigError, prompt.PromptError) as error:
        return evidence_of(error)
    try:
        from agentrun.steps.agents.api_conversation import converse
    except ImportError as error:
        return _missing(error)
    memory.tell_missing(ctx, spec.session)
    talk = memory.continued(ctx, spec.session)
    memory.remember(ctx.state_dir, memory.Remembered(session="", cli=model, round=ctx.round))
    return await converse(ctx, spec, model, task, talk)


def _missing(error: ImportError) -> Evidence:
    text = f"an agent with `model:` needs the extra [llm]: {INSTALL} ({error})"
    return Evidence("llm", text, exception="ModuleNotFoundError", mro=("ModuleNotFoundError",))

"""Performs one attempt of an agent."""

from agentrun.core.failure import Evidence
from agentrun.core.outcome import Success
from agentrun.steps.kind import StepContext


async def execute(_ctx: StepContext) -> Success | Evidence:
    """Run the agent once."""
    raise NotImplementedError

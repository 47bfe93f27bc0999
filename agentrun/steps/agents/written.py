"""The spec of an agent step as it was written, with its types."""

from collections.abc import Mapping

import msgspec

from agentrun.core.model import Json
from agentrun.steps.agent import AgentSpec
from agentrun.steps.agents.verdict import AgentConfigError


def spec_of(written: Mapping[str, Json]) -> AgentSpec:
    """Return the spec. A rendered prompt file has become the prompt. Raises AgentConfigError."""
    known = dict(written)
    if known.get("prompt") is not None:
        known.pop("prompt_file", None)
    try:
        return msgspec.convert(known, AgentSpec, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise AgentConfigError(f"agent: {error}") from error

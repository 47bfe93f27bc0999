"""Builds the model of an API agent: provider, key, address, and no retries of its own.

The key comes from the step's environment, not from this process's: a workflow may set it.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings

from agentrun.steps.agent import AgentSpec
from agentrun.steps.agents.verdict import AgentConfigError

LOCAL_KEY = "none"
_KEY_OF = {"google": "GOOGLE_API_KEY", "google-gla": "GOOGLE_API_KEY"}
_KNOWN_AS = ("openai", "anthropic")


class AgentAuthenticationError(Exception):
    """No key is set for the provider."""


def build_model(name: str, spec: AgentSpec, env: Mapping[str, str]) -> Model:
    """Return the model. Raises AgentConfigError, AgentAuthenticationError or ImportError."""
    if ":" not in name:
        raise AgentConfigError(f"`model: {name}` has no provider: write `provider:name`")
    base_url = spec.base_url or _base_url(name, env)
    if base_url and name.startswith("openai:"):
        # a server that is not OpenAI's own speaks the chat protocol, seldom the other one
        name = f"openai-chat:{name.removeprefix('openai:')}"
    key = env.get(spec.api_key_env or _key_variable(name))
    try:
        model = infer_model(name, lambda provider: _provider(provider, base_url, key, spec))
    except UserError as error:
        message = str(error)
        if "API_KEY" in message or "api_key" in message:
            variable = spec.api_key_env or _key_variable(name)
            raise AgentAuthenticationError(
                f"no API key for {name}: the environment variable {variable} is not set"
            ) from error
        raise AgentConfigError(message) from error
    except ValueError as error:
        raise AgentConfigError(f"`model: {name}`: {error}") from error
    _switch_retries_off(model)
    _refuse_pages(model)
    return model


def _provider(name: str, base_url: str | None, key: str | None, spec: AgentSpec) -> Provider[Any]:
    maker = infer_provider_class(name)
    taken = inspect.signature(maker).parameters
    given: dict[str, Any] = {}
    if base_url:
        if "base_url" not in taken:
            raise AgentConfigError(f"the provider {name} takes no `base_url`")
        given["base_url"] = base_url
    if "api_key" in taken and (key or base_url):
        given["api_key"] = key or LOCAL_KEY
    elif spec.api_key_env:
        raise AgentAuthenticationError(f"the environment variable {spec.api_key_env} is not set")
    return maker(**given)


def _key_variable(name: str) -> str:
    provider = name.partition(":")[0]
    family = next((known for known in _KNOWN_AS if provider.startswith(known)), provider)
    return _KEY_OF.get(family, f"{family.upper().replace('-', '_')}_API_KEY")


def _base_url(name: str, env: Mapping[str, str]) -> str | None:
    family = next((known for known in _KNOWN_AS if name.startswith(known)), None)
    return env.get(f"{family.upper()}_BASE_URL") if family else None


def _switch_retries_off(model: Model) -> None:
    """Take the SDK's own retries away: OpenAI's, Anthropic's and Groq's clients have two."""
    client: Any = getattr(model, "client", None)
    if isinstance(getattr(client, "max_retries", None), int):
        client.max_retries = 0


def _refuse_pages(model: Model) -> None:
    """Take a web page for what it is: the libraries read it as an answer that was cut off."""
    http: Any = getattr(getattr(model, "client", None), "_client", None)
    hooks = getattr(http, "event_hooks", None)
    if isinstance(hooks, dict) and _no_page not in hooks.get("response", ()):
        http.event_hooks = {**hooks, "response": [*hooks.get("response", ()), _no_page]}


async def _no_page(response: Any) -> None:
    kind = str(response.headers.get("content-type", ""))
    if response.status_code < 400 and kind.startswith("text/html"):
        raise AgentConfigError(
            f"{response.request.url} answered with a web page, not as a model: is `base_url` right?"
        )


def settings_of(spec: AgentSpec) -> ModelSettings:
    """Return what is sent beside the messages: only what the workflow says."""
    settings = ModelSettings()
    if spec.max_tokens is not None:
        settings["max_tokens"] = spec.max_tokens
    if spec.temperature is not None:
        settings["temperature"] = spec.temperature
    return settings

"""The tools of an API agent: Python functions, found as in `python` steps, and MCP servers.

A stdio server is a child of this process; it gets the step's environment, so that one left over
from a dead run is found by its marks.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pydantic_ai.toolsets import AbstractToolset

from agentrun.steps.agent import AgentSpec, McpServer
from agentrun.steps.agents.verdict import AgentConfigError
from agentrun.steps.kind import StepContext
from agentrun.steps.target import find_function

MCP_INSTALL = "pip install 'pydantic-ai-slim[mcp]'"


def functions(spec: AgentSpec, ctx: StepContext) -> list[Callable[..., Any]]:
    """Return the Python functions. Raises AgentConfigError for one that can't be found."""
    found = []
    for target in spec.tools:
        try:
            found.append(find_function(target, ctx.base_dir))
        except (ImportError, AttributeError, TypeError, ValueError, OSError, SyntaxError) as error:
            raise AgentConfigError(f"`tools: {target}`: {error}") from error
    return found


def toolsets(spec: AgentSpec, ctx: StepContext) -> list[AbstractToolset[Any]]:
    """Return the MCP servers, not yet connected. Raises ImportError without their package."""
    return [_toolset(name, server, ctx) for name, server in spec.mcp.items()]


def _toolset(name: str, server: McpServer, ctx: StepContext) -> AbstractToolset[Any]:
    try:
        transports = import_module("fastmcp.client.transports")  # by name: it has no types here
        from pydantic_ai.mcp import MCPToolset
    except ImportError as error:
        raise ImportError(f"`mcp:` needs one more package: {MCP_INSTALL} ({error})") from error
    if server.url is not None:
        return MCPToolset(server.url, id=name, headers=dict(server.headers) or None)
    transport = transports.StdioTransport(
        command=str(server.command),
        args=list(server.args),
        env={**ctx.env, **server.env},
        cwd=str(ctx.cwd),
        keep_alive=False,
    )
    return MCPToolset(transport, id=name)

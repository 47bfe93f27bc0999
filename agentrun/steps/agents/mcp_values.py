"""Carries the values of `mcp.env` and `mcp.headers` past the command line of a CLI.

They are where a server's token stands, and everybody on the machine can read a command line (`ps`).
So a CLI gets each in a variable of its own environment, and its settings name that variable.
"""

from collections.abc import Mapping

from agentrun.steps.agent import McpServer


def variables(servers: Mapping[str, McpServer]) -> dict[str, str]:
    """Return the environment that holds the values of all servers."""
    return {
        name: _values(server)[key]
        for place, server in enumerate(servers.values())
        for key, name in names(place, server).items()
    }


def names(place: int, server: McpServer) -> dict[str, str]:
    """Return the variable that holds each value of the `place`-th server."""
    return {key: f"AGENTRUN_MCP_{place}_{number}" for number, key in enumerate(_values(server))}


def _values(server: McpServer) -> Mapping[str, str]:
    return server.env if server.url is None else server.headers

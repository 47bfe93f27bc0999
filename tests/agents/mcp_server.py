"""A small MCP server on stdio: one tool that says what it was told to hide."""

import os

from mcp.server import MCPServer

server = MCPServer("shelf")


@server.tool()
def look_up(key: str) -> str:
    """Look something up."""
    return f"{key} is {os.environ.get('SHELF', 'empty')}"


if __name__ == "__main__":
    server.run("stdio")

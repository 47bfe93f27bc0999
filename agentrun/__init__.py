"""agentrun: durable workflows of agents, one command, plain files, no server."""

__version__ = "0.1.0"

"""agentrun: run workflows of agents that survive everything that goes wrong while they run."""

__version__ = "0.1.0"

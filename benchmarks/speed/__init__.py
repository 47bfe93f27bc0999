"""How fast agentrun is, beside the physical limit and beside its peers."""

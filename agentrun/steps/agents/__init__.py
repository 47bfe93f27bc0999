"""Agents: one small file per CLI, and the model APIs."""

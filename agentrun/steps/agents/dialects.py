"""Where a CLI is found by its name. Imports only the one that is asked for."""

from importlib import import_module

from agentrun.steps.agent import AgentSpec, GenericCli
from agentrun.steps.agents.contract import Dialect


def dialect_of(spec: AgentSpec) -> Dialect:
    """Return the CLI that a spec names or describes."""
    if isinstance(spec.cli, GenericCli):
        from agentrun.steps.agents import generic

        return generic.dialect(spec.cli)
    dialect = import_module(f"agentrun.steps.agents.{spec.cli}").DIALECT
    assert isinstance(dialect, Dialect)
    return dialect

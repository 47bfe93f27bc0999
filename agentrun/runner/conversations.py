"""Which conversation an attempt of an agent goes on with: its own, or a branch of another step's.

A CLI keeps its conversations itself, so a session's name is enough. That of an API model stands in
the events of its step. The state lets go of it when the step has succeeded, unless a step of the
same file says `session:` with its id: what nobody goes on with costs no memory and no snapshot.
"""

from agentrun.core import address
from agentrun.core.model import Step, Workflow
from agentrun.core.state import StepState
from agentrun.recovery.fallback import way
from agentrun.runner.desk import Desk
from agentrun.runner.order import NOTHING, Memory
from agentrun.steps import registry

OWN = frozenset({None, "continue", "fresh"})


def memory(desk: Desk, key: str, step: Step, state: StepState) -> Memory:
    """Return what the attempt goes on with. The step's own comes first: it began as a branch."""
    current = way(step, state.alternative)
    named = _named(current)
    if named is None or state.session is not None or state.messages:
        return Memory(state.session, desk.outputs.conversation(state))
    other_key = address.inside(address.parent_scope(key), named)
    if other_key not in desk.state.steps:
        return NOTHING
    before, other = desk.look_up(other_key)
    if not _same_agent(way(before, other.alternative), current):
        return NOTHING
    return Memory(other.session, desk.outputs.conversation(other), branched=True)


def is_continued(workflow: Workflow, key: str) -> bool:
    """Return whether another step of the workflow may go on with the conversation of this one."""
    if address.item_index(key) is not None:
        return False
    wanted = address.step_id(key)
    return any(
        _named(way(step, number)) == wanted
        for step in workflow.steps
        for number in range(1 + len(step.fallback))
    )


def _named(step: Step) -> str | None:
    """Return the step whose conversation this one is to go on with."""
    wanted = step.spec.get("session") if step.kind == "agent" else None
    return None if wanted in OWN else str(wanted)


def _same_agent(one: Step, other: Step) -> bool:
    """Return whether one can read the conversation of the other: the same CLI, or API models."""
    if not one.kind == other.kind == "agent":
        return False
    if one.spec.get("cli") is None or other.spec.get("cli") is None:
        return one.spec.get("cli") is None and other.spec.get("cli") is None
    name_of = registry.get("agent").component
    return name_of(one.spec) == name_of(other.spec)

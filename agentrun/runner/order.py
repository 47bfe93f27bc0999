"""One attempt to perform: what the rules ask for, and the performer answers with a `Result`."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from agentrun.core.model import Json, Step, Workflow
from agentrun.core.state import StepState
from agentrun.runner.result import Result


class Memory(Struct, frozen=True):
    """What an agent goes on with: a session of a CLI, or the messages of a model. `branched`: it is
    another step's.
    """

    session: str | None = None
    messages: Json = None
    branched: bool = False


NOTHING = Memory()


class Order(Struct, frozen=True):
    """One attempt to perform. `names` are those of expressions; `step` is as in the workflow.

    `around` tells the environment and the folder that the sub-workflows around the step give it; it
    raises ExpressionError where they can't be told. `outputs` are those of a sub-workflow whose
    steps are done: the attempt only judges them. `alone`: no other attempt runs meanwhile. `quick`:
    it is alone and will be over in no time, so it may be performed on the spot. `elsewhere`: the
    attempt's folder or environment is not that of this process.
    """

    key: str
    number: int
    step: Step
    state: StepState
    workflow: Workflow
    names: Mapping[str, Any]
    idempotency_key: str
    memory: Memory = NOTHING
    around: Callable[[], tuple[Mapping[str, str], str]] = lambda: ({}, "")
    outputs: Json = None
    alone: bool = False
    quick: bool = False
    elsewhere: bool = False


class Performer(Protocol):
    """Performs attempts: in this process (attempt.py), or scripted in a simulation."""

    async def perform(self, order: Order) -> Result:
        """Perform one attempt. Raises CancelledError when it is interrupted."""

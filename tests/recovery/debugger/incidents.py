"""Incidents made by hand."""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import Json, Step
from agentrun.core.state import StepState
from agentrun.recovery.debugger.fingerprint import fingerprint
from agentrun.recovery.debugger.incident import Incident


def failure(kind: Kind = Kind.LOGIC, message: str = "exit code 1: no", **more: Any) -> Failure:
    return Failure(CATEGORY_OF[kind], kind, message, **more)


def incident(
    step: Step | None = None,
    failed: Failure | None = None,
    *,
    key: str = "a",
    state: StepState | None = None,
    inputs: Mapping[str, Json] | None = None,
    **more: Any,
) -> Incident:
    """Return an incident of a `run` step, changed as asked."""
    step = step or a_step()
    failed = failed or failure()
    state = structs.replace(state or StepState(status="failed", attempts=1), failure=failed)
    print_ = fingerprint(step.id, step.content_hash, failed)
    tail = more.pop("log_tail", failed.tail)
    return Incident(key, step, state, failed, print_, inputs=inputs or {}, log_tail=tail, **more)


def a_step(kind: str = "run", **more: Any) -> Step:
    return Step("a", kind, more.pop("spec", {"command": "true"}), content_hash="c" * 64, **more)

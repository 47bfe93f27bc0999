"""The kinds that the runner performs itself: what `wait`, `approval` and `workflow` begin with."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from agentrun.core import events as ev
from agentrun.core.failure import Failure, Kind
from agentrun.core.model import Json, Workflow
from agentrun.core.value import encoded
from agentrun.runner.inputs import InputProblem, checked_inputs
from agentrun.runner.result import found
from agentrun.workflow.units import duration_s


def wait_started(key: str, spec: Mapping[str, Json], now: float) -> ev.WaitStarted | Failure:
    """Resolve a `wait` to the moment it ends."""
    written = spec.get("for_")
    try:
        return ev.WaitStarted(key, _moment(written, now))
    except ValueError as error:
        text = f"`wait` needs a duration or a moment, not {written!r}: {error}"
        return found(Kind.INVALID_CONFIG, text, "wait")


def _moment(written: Json, now: float) -> float:
    if isinstance(written, str) and len(written) >= len("2026-01-01") and "-" in written:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return now + duration_s(written)


def approval_asked(key: str, spec: Mapping[str, Json], now: float) -> ev.ApprovalAsked | Failure:
    """Resolve an `approval`. The digest covers what the person is shown."""
    message = str(spec.get("message", ""))
    options = tuple(str(option) for option in spec.get("options") or ("approve", "reject"))
    default = spec.get("default")
    timeout = spec.get("timeout")
    try:
        until = None if timeout is None else now + duration_s(timeout)
    except ValueError as error:
        return found(Kind.INVALID_CONFIG, f"`timeout` of the approval: {error}", "approval")
    if default is not None and str(default) not in options:
        text = f"the default {default!r} is not one of the options {', '.join(options)}"
        return found(Kind.INVALID_CONFIG, text, "approval")
    shown = encoded([key, message, options])
    return ev.ApprovalAsked(
        key,
        message,
        options,
        hashlib.sha256(shown).hexdigest()[:16],
        until,
        None if default is None else str(default),
    )


def subworkflow_inputs(workflow: Workflow, given: Json) -> dict[str, Json] | Failure:
    """Check what `with` hands to a sub-workflow against its `inputs`."""
    if given is not None and not isinstance(given, dict):
        return found(Kind.INVALID_CONFIG, "`with` of a sub-workflow must be a mapping", "inputs")
    try:
        return checked_inputs(workflow.inputs, given or {})
    except InputProblem as problem:
        text = f"inputs of the sub-workflow {workflow.name}: {problem}"
        return found(Kind.INVALID_CONFIG, text, "inputs")

"""Tells people how a task ended: `notify:` of the workflow.

An address that begins with http:// or https:// gets one JSON object by POST; any other is an
address of Apprise (Slack, mail, ...), which the extra `[alerts]` installs. A notification that
can't be delivered is a warning in the task's journal and never changes how the task ended, nor
holds it up for longer than PATIENCE_S in all, whatever a service or a plug-in does. Nothing that is
sent holds a declared secret, and no address is shown: it may be a secret itself.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from agentrun.core.model import Json, Workflow
from agentrun.core.state import TaskState
from agentrun.report.next_command import next_commands
from agentrun.steps.redact import Redactor
from agentrun.workflow.expressions import ExpressionError, render

TIMEOUT_S = 10.0
PATIENCE_S = 15.0
"""For all notifications of an ending together: they are sent at the same time."""
MAX_MESSAGE = 2000
NEEDS_ALERTS = "needs the extra [alerts]: pip install 'agentrun-cli[alerts]'"


def tell(
    workflow: Workflow,
    state: TaskState,
    secrets: Mapping[str, str],
    patience_s: float = PATIENCE_S,
) -> list[str]:
    """Send what is to be sent; return what went wrong, for warnings."""
    reasons = happened(state)
    wanted = [each for each in workflow.notify if reasons & set(each["on"])]
    if not wanted:
        return []
    redactor = Redactor(secrets)
    message = redactor.value(told(state))
    problems = _send_all([str(each["url"]) for each in wanted], message, patience_s)
    return [redactor.text(f"a notification was not delivered: {each}") for each in problems]


def happened(state: TaskState) -> set[str]:
    """Return the words of `on` that apply to the state of the task."""
    escalated = state.ending is not None and state.ending.reason == "escalation"
    return {state.status, "escalated"} if escalated else {state.status}


def told(state: TaskState) -> dict[str, Json]:
    """Return what is sent."""
    ending = state.ending
    failure = None if ending is None else ending.failure
    steps = () if ending is None else ending.steps
    if failure is None:
        found = (state.step(key).failure for key in steps)
        failure = next((each for each in found if each is not None), None)
    nexts = next_commands(state)
    return {
        "task_id": state.task_id,
        "workflow": state.workflow,
        "status": state.status,
        "reason": "" if ending is None else ending.reason,
        "exit_code": None if ending is None else ending.exit_code,
        "step": (ending.step if ending else None) or next(iter(steps), None),
        "message": "" if ending is None else ending.message[:MAX_MESSAGE],
        "error": None
        if failure is None
        else {
            "category": failure.category,
            "kind": failure.kind,
            "message": failure.message[:MAX_MESSAGE],
            "hint": failure.hint,
        },
        "duration_s": round(state.active_s, 3),
        "usd": round(state.usd, 6),
        "next": nexts[0].command if nexts else None,
    }


def _send_all(addresses: Sequence[str], message: dict[str, Json], patience_s: float) -> list[str]:
    """Send to all at once; return the problems. Whatever has not answered in time is left to a
    daemon thread.
    """
    found: dict[int, str | None] = {}

    def send(number: int, address: str) -> None:
        found[number] = _send(address, message)

    threads = [
        threading.Thread(target=send, args=each, daemon=True) for each in enumerate(addresses)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"no answer within {patience_s:g} s"
    answers = (found.get(number, late) for number in range(len(addresses)))
    return [problem for problem in answers if problem is not None]


def _send(address: str, message: dict[str, Json]) -> str | None:
    """Send it; return the problem."""
    try:
        url = str(render(address, {"env": dict(os.environ)}))
    except ExpressionError as error:
        return f"its address can't be made: {error}"
    if url.startswith(("http://", "https://")):
        return _post(url, message)
    return _by_apprise(url, message)


def _post(url: str, message: dict[str, Json]) -> str | None:
    import httpx2

    where = "the webhook"
    try:
        where = urlsplit(url).hostname or where
        answer = httpx2.post(url, json=message, timeout=TIMEOUT_S)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        return f"{where}: {type(error).__name__}"  # its text may hold the address
    return None if answer.is_success else f"{where} answered {answer.status_code}"


def _by_apprise(url: str, message: dict[str, Json]) -> str | None:
    import logging

    scheme = url.partition("://")[0] if "://" in url else "an address without a scheme"
    try:
        import apprise
    except ImportError:
        return f"{scheme} {NEEDS_ALERTS}"
    told = logging.getLogger("apprise")
    told.propagate, told.handlers = False, [logging.NullHandler()]  # it may name the address
    service: Any = apprise.Apprise()
    if not service.add(url):
        return f"{scheme}: Apprise does not understand the address"
    title = f"{message['workflow']} {message['status']}"
    try:
        delivered = service.notify(title=title, body="\n".join(_lines(message)))
    except Exception as error:  # noqa: BLE001 - plug-ins of others: none may end a task
        return f"{scheme}: {type(error).__name__}"
    return None if delivered else f"{scheme}: Apprise could not deliver it"


def _lines(message: Mapping[str, Json]) -> Iterator[str]:
    error = message["error"]
    if message["step"]:
        yield f"step {message['step']}"
    if error:
        yield f"{error['kind']}: {error['message']}"
    elif message["message"]:
        yield str(message["message"])
    yield f"task {message['task_id']}"
    if message["next"]:
        yield f"next: {message['next']}"

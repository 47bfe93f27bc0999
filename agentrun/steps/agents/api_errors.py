"""pydantic-ai's errors as evidence: status, headers, class and causes, and the provider's words."""

import json
from collections.abc import Iterator, Mapping

from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.steps.agents.verdict import AgentConfigError, evidence_of

MAX_CAUSES = 10
MAX_TEXT_CHARS = 16 * 1024


_CUT_OFF = "Streamed response ended without content"


def evidence(error: BaseException) -> Evidence:
    """Return what is known of the failure."""
    if _CUT_OFF in str(error):  # the library takes a stream that was cut off for a bad answer
        text = f"stream disconnected before completion: {error}"
        mro = ("ConnectionError", "OSError")
        return Evidence("llm", text, exception="ConnectionError", mro=mro)
    chain = list(_causes(error))
    if ours := next((cause for cause in chain if isinstance(cause, AgentConfigError)), None):
        return evidence_of(ours)
    return Evidence(
        channel="llm",
        text=_text(error, chain)[:MAX_TEXT_CHARS],
        exception=type(error).__name__,
        mro=tuple(base.__name__ for base in type(error).__mro__[:-1]),
        causes=tuple(type(cause).__name__ for cause in chain),
        status=getattr(error, "status_code", None),
        headers=_headers(error),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what the error came from, nearest first; the members of a group are causes too."""
    todo, seen = [error], {id(error)}
    while todo and len(seen) <= MAX_CAUSES:
        current = todo.pop(0)
        inner = list(current.exceptions) if isinstance(current, BaseExceptionGroup) else []
        for cause in (current.__cause__ or current.__context__, *inner):
            if cause is not None and id(cause) not in seen:
                seen.add(id(cause))
                todo.append(cause)
                yield cause


def _text(error: BaseException, chain: list[BaseException]) -> str:
    """Return the body with its status, and the provider's own words last: they are the headline.
    Without a body, the error and what caused it.
    """
    body: Json = getattr(error, "body", None)
    status = getattr(error, "status_code", None)
    if status is None or not body:
        words = [str(error), *(str(cause) for cause in chain)]
        return "\n".join(dict.fromkeys(word for word in words if word))
    told = body if isinstance(body, str) else json.dumps(body, default=str)
    return f"{status} {told}\n{_message(body)}".rstrip()


def _message(body: Json) -> str:
    inner = body.get("error", body) if isinstance(body, dict) else None
    message = inner.get("message") if isinstance(inner, dict) else None
    return message if isinstance(message, str) else ""


def _headers(error: BaseException) -> Mapping[str, str]:
    headers = getattr(error, "headers", None)
    found = {str(k): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {}
    wait = getattr(error, "retry_after", None)
    if wait is not None and not any(name.lower() == "retry-after" for name in found):
        found["retry-after"] = f"{wait:g}"
    return found

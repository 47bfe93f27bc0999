"""The conversation of an API agent as JSON, and how an existing one is continued."""

from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolReturnPart,
)

from agentrun.core.model import Json


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a run starts: with this history, and this message (None: the history ends in a question
    that is still open). `answered` is the answer when the history already holds it.
    """

    history: list[ModelMessage] = field(default_factory=list)
    message: str | None = None
    answered: str | None = None

    @property
    def asked(self) -> bool:
        """True when the history ends in a question that may have been sent."""
        return self.message is None and isinstance(self.history[-1], ModelRequest)


def to_json(messages: list[ModelMessage]) -> Json:
    """Return the messages as JSON."""
    return ModelMessagesTypeAdapter.dump_python(messages, mode="json")


def from_json(value: Json) -> list[ModelMessage]:
    """Return the messages; none when they are not from a version that can be read."""
    if not value:
        return []
    try:
        return ModelMessagesTypeAdapter.validate_python(value)
    except ValidationError:
        return []


def beginning(messages: list[ModelMessage], message: str, *, is_news: bool) -> Beginning:
    """Return how to go on. `is_news`: the message says more than the history already holds."""
    if not messages:
        return Beginning(message=message)
    last = messages[-1]
    if _is_open(last):
        return Beginning(messages)
    if not is_news and isinstance(last, ModelResponse):
        return Beginning(messages, answered=text_of(last))
    return Beginning(messages, message)


def settled(messages: list[ModelMessage]) -> list[ModelMessage]:
    """Return the messages up to the last answer: what is open after it is another step's."""
    end = len(messages)
    while end and _is_open(messages[end - 1]):
        end -= 1
    return messages[:end]


def _is_open(last: ModelMessage) -> bool:
    return isinstance(last, ModelRequest) or bool(last.tool_calls)


def text_of(response: ModelResponse) -> str:
    """Return the text of an answer."""
    return response.text or ""


def holds_results(request: ModelRequest) -> bool:
    """Return whether a request brings back what tools returned."""
    return any(isinstance(part, ToolReturnPart) for part in request.parts)

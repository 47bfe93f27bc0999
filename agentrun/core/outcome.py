"""What one attempt of a step ended in, and what it reported on its way.

Owns the closed answers of every step kind: `Success` or `Evidence` of a failure, and the `Note`s
that must be durable before the attempt is over. Refuses to know who performs the attempt.
"""

from dataclasses import dataclass

from agentrun.core.model import Json


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt consumed. `usd` None means that the price is unknown, which is not zero."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    usd: float | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Success:
    """An attempt that worked. `output` is raw: the runner parses it as the step's `output` says.

    `extra` holds what the kind offers beside the output (`status` and `headers` of http).
    """

    output: Json
    exit_code: int | None = None
    usage: Usage | None = None
    session: str | None = None
    extra: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """A process group was started for this attempt. `started` is the kernel's start time of the
    leader (clock ticks since boot, field 22 of /proc/PID/stat; 0 where the system has none)."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class SessionKnown:
    """The agent named its session: the handle to its memory, recorded as soon as it is known."""

    session: str


@dataclass(frozen=True, slots=True)
class TurnDone:
    """A model turn was answered. `messages` is the conversation so far, as JSON."""

    messages: Json
    usage: Usage | None = None


Note = ProcessStarted | SessionKnown | TurnDone

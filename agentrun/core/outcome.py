"""What one attempt of a step ended in, and what it reported on its way.

Owns the closed answers of every step kind: `Success` or `Evidence` of a failure, and the `Note`s
that must be durable before the attempt is over. Refuses to know who performs the attempt.
"""

from msgspec import Struct

from agentrun.core.model import Json


class Usage(Struct, frozen=True, omit_defaults=True):
    """What was consumed. `usd` None means that the price is unknown, which is not zero; with
    `usd_unknown` it is a lower bound. `cached_tokens` are those of the input that were read from
    the provider's cache, at a lower price.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    usd: float | None = None
    model: str | None = None
    cached_tokens: int = 0
    usd_unknown: bool = False

    @property
    def tokens(self) -> int:
        """All tokens, read and written."""
        return self.input_tokens + self.output_tokens

    @property
    def unpriced(self) -> bool:
        """True when some of it has no known price."""
        return self.usd_unknown or (self.usd is None and bool(self.tokens or self.requests))

    def plus(self, other: "Usage") -> "Usage":
        """Return the sum. An unknown price on either side leaves the known part standing."""
        prices = [usd for usd in (self.usd, other.usd) if usd is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.requests + other.requests,
            sum(prices) if prices else None,
            other.model or self.model,
            self.cached_tokens + other.cached_tokens,
            self.unpriced or other.unpriced,
        )

    def as_json(self) -> dict[str, Json]:
        """Return it as expressions and `--json` show it: every field, unknown ones null."""
        return {
            "tokens": self.tokens,
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "requests": self.requests,
            "usd": None if self.usd is None else round(self.usd, 6),
            "usd_unknown": self.unpriced,
            "model": self.model,
        }


class Success(Struct, frozen=True):
    """An attempt that worked. `output` is raw: the runner parses it as the step's `output` says.

    `extra` holds what the kind offers beside the output (`status` and `headers` of http).
    """

    output: Json
    exit_code: int | None = None
    usage: Usage | None = None
    session: str | None = None
    extra: tuple[tuple[str, Json], ...] = ()


class ProcessStarted(Struct, frozen=True):
    """A process group was started for this attempt. `started` is the kernel's start time of the
    leader (clock ticks since boot, field 22 of /proc/PID/stat; 0 where the system has none).
    """

    pid: int
    started: int


class SessionKnown(Struct, frozen=True):
    """The agent named its session: the handle to its memory, recorded as soon as it is known."""

    session: str


class TurnDone(Struct, frozen=True):
    """A model turn was answered. `messages` is the conversation so far, a list of JSON values;
    None says that there is nothing to remember but the usage.
    """

    messages: Json
    usage: Usage | None = None


Note = ProcessStarted | SessionKnown | TurnDone

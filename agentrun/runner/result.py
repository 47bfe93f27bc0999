"""What the runner learns of an attempt: it worked, or it failed so."""

from collections.abc import Mapping

from msgspec import Struct

from agentrun.core.failure import CATEGORY_OF, Failure, Kind
from agentrun.core.model import Json
from agentrun.core.outcome import Usage


class Done(Struct, frozen=True):
    """The attempt worked: `output` is parsed and checked."""

    output: Json
    exit_code: int | None = None
    usage: Usage | None = None
    session: str | None = None
    extra: Mapping[str, Json] | None = None
    repairs: tuple[str, ...] = ()
    duration_s: float = 0.0


class Failed(Struct, frozen=True):
    """The attempt failed, and this is how. `output` is what it had brought, for `until`."""

    failure: Failure
    duration_s: float = 0.0
    usage: Usage | None = None
    session: str | None = None
    output: Json = None


Result = Done | Failed


def found(kind: Kind, message: str, rule: str, hint: str = "", tail: str = "") -> Failure:
    """Return a failure that agentrun itself found, without evidence from outside."""
    return Failure(CATEGORY_OF[kind], kind, message, rule=rule, hint=hint, tail=tail)

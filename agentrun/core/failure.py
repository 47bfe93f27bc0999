"""What went wrong, as data: the closed vocabulary of failures that the whole product speaks.

Owns the categories, the kinds, the table from kind to category, the raw `Evidence` a failed
attempt leaves behind and the `Failure` a classifier makes of it. Refuses to know how evidence is
gathered (steps/) or judged (failures/).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from msgspec import Struct, field


class Category(StrEnum):
    """Decides whether a failure is retried."""

    TRANSIENT = "transient"
    RECOVERABLE = "recoverable"
    FATAL = "fatal"


class Kind(StrEnum):
    """Chooses the recovery strategy."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    LOCK = "lock"
    OUTPUT_FORMAT = "output_format"
    INPUT_FORMAT = "input_format"
    CONTEXT_OVERFLOW = "context_overflow"
    MISSING_DEPENDENCY = "missing_dependency"
    RESOURCE_CONFLICT = "resource_conflict"
    DISK_FULL = "disk_full"
    LOGIC = "logic"
    AUTH = "auth"
    PERMISSION = "permission"
    SECURITY = "security"
    QUOTA = "quota"
    NOT_FOUND = "not_found"
    INVALID_CONFIG = "invalid_config"
    CRASH = "crash"
    OUT_OF_MEMORY = "out_of_memory"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


_TRANSIENT = (Kind.NETWORK, Kind.TIMEOUT, Kind.RATE_LIMIT, Kind.OVERLOADED, Kind.LOCK)
_RECOVERABLE = (
    Kind.OUTPUT_FORMAT,
    Kind.INPUT_FORMAT,
    Kind.CONTEXT_OVERFLOW,
    Kind.MISSING_DEPENDENCY,
    Kind.RESOURCE_CONFLICT,
    Kind.DISK_FULL,
    Kind.LOGIC,
)

CATEGORY_OF: Mapping[Kind, Category] = MappingProxyType(
    dict.fromkeys(Kind, Category.FATAL)
    | dict.fromkeys(_TRANSIENT, Category.TRANSIENT)
    | dict.fromkeys(_RECOVERABLE, Category.RECOVERABLE)
)
"""The category is a function of the kind; a rule may still override it (a reclaimed CI runner)."""

Channel = Literal["subprocess", "python", "http", "llm"]


class Evidence(Struct, frozen=True):
    """What a failed attempt left behind, before anyone judged it.

    `signal` is a name (`SIGKILL`); `mro` and `causes` are class names, nearest first, with or
    without module; `headers` keep their spelling (look them up without case); `text` is the head
    and tail of what the attempt printed on both streams, or the exception's text, or the body.
    """

    channel: Channel
    text: str = ""
    command: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    exception: str | None = None
    mro: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Verdict(Struct, frozen=True):
    """A classifier's answer: category, kind and why.

    `retry_after_s` is the wait that the failure itself asked for, in seconds from when it
    happened; None when it named none. `rule` names the rule that matched, `evidence` is the piece
    of text, code or type it matched on.
    """

    category: Category
    kind: Kind
    rule: str
    evidence: str
    retry_after_s: float | None = None


class Failure(Struct, frozen=True, omit_defaults=True):
    """A failed attempt as it stands in the journal: the verdict, and what a person needs to see.

    `took_effect` is False only where the failure proves that nothing happened outside (a refused
    connection, a 429, a missing program): the one case in which a step with `idempotent: false`
    is retried by itself. `tail` is the end of what the attempt printed.
    """

    category: Category
    kind: Kind
    message: str
    rule: str = ""
    evidence: str = ""
    hint: str = ""
    retry_after_s: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    exception: str | None = None
    status: int | None = None
    tail: str = ""
    took_effect: bool = True

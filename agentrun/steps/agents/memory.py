"""Which conversation an attempt goes on with, and what is left of one that is lost.

Owns `agent.json` in the step's state folder: which session is the step's own, in which round it
was used, what of its usage is accounted for, and which log tells what was said in it. The session
itself stands in the journal; this file may be lost at any time, and only costs accuracy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from agentrun.core.failure import Failure, Kind
from agentrun.core.outcome import Usage
from agentrun.steps.agents.contract import Answer, Dialect
from agentrun.steps.kind import StepContext
from agentrun.steps.log import FileLog

FILE = "agent.json"
SUMMARY_CHARS = 4000
LOG_TAIL_BYTES = 256 * 1024

POISON = re.compile(
    r"tool use concurrency|tool_use.{0,40}ids? .{0,40}without .{0,20}tool_result"
    r"|unexpected.{0,10}tool_use_id|No tool (?:output|call) found"
    r"|invalid.{0,20}signature in thinking"
    r"|prompt is too long|ran out of room in the model's context",
    re.IGNORECASE,
)
"""Words of a refusal that every further message in the same conversation would meet again."""

Why = Literal["new", "again", "interrupted", "next"]


class Remembered(Struct, omit_defaults=True):
    """What `agent.json` holds. `open` is True from the start of a run to its end: where it still is
    when the next one begins, nobody has counted what that run used.
    """

    session: str
    cli: str = ""
    round: int = 1
    counted: Usage | None = None
    log: str | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """How an attempt begins. `why`: `new` work, `again` after a failure, `interrupted` work goes
    on, or `next`: another task in a conversation that is there (a round, another step's session).
    """

    why: Why
    resume: str | None = None
    fork: bool = False
    counted: Usage | None = None
    lost: str | None = None


def recall(state_dir: Path) -> Remembered | None:
    """Return what is remembered, or None."""
    try:
        return msgspec.json.decode((state_dir / FILE).read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError):
        return None


def remember(state_dir: Path, remembered: Remembered) -> None:
    """Keep it for the next attempt, whole or not at all."""
    draft = state_dir / f".{FILE}.new"
    draft.write_bytes(msgspec.json.encode(remembered))
    draft.replace(state_dir / FILE)


def conversation(ctx: StepContext, session: str, dialect: Dialect) -> Conversation:
    """Return how the attempt begins; `session` is what the workflow says under `session:`."""
    past = recall(ctx.state_dir)
    same_round = past is None or past.round == ctx.round
    why: Why = "again" if ctx.last_failure else "new"
    if ctx.session is None or session == "fresh" or not dialect.resumes:
        return Conversation(why)
    if poisoned(ctx.last_failure):
        return Conversation(why, lost=ctx.session)
    own = past is not None and past.session == ctx.session
    if session != "continue" and not own and not dialect.forks:
        return Conversation(why)  # two steps in one conversation would disturb each other
    if session != "continue" and not own:
        return Conversation("again" if ctx.last_failure else "next", ctx.session, fork=True)
    if why == "new":
        why = "interrupted" if same_round else "next"
    return Conversation(why, ctx.session, counted=past.counted if past and own else None)


def tell_missing(ctx: StepContext, session: str) -> None:
    """Tell in the log that the step named under `session:` left nothing to go on with."""
    if session not in {"continue", "fresh"} and ctx.session is None and not ctx.messages:
        line = f"[agentrun] step {session} left no conversation to go on with: beginning afresh\n"
        ctx.log.write(line.encode())


def continued(ctx: StepContext, session: str) -> Conversation:
    """Return how an attempt with a model API begins; its memory is `ctx.messages`."""
    past = recall(ctx.state_dir)
    why: Why = "again" if ctx.last_failure else "new"
    if not ctx.messages or session == "fresh" or poisoned(ctx.last_failure):
        return Conversation(why)
    if ctx.branched:
        return Conversation("again" if ctx.last_failure else "next", resume="messages", fork=True)
    if why == "new":
        own = past.round == ctx.round if past else session == "continue"
        why = "interrupted" if own else "next"
    return Conversation(why, resume="messages")


def poisoned(failure: Failure | None) -> bool:
    """Return whether the conversation that ended so can't be gone on with."""
    if failure is None:
        return False
    return failure.kind is Kind.CONTEXT_OVERFLOW or bool(POISON.search(failure.message))


def summary(past: Remembered | None, dialect: Dialect) -> str:
    """Return the last words of a lost conversation, from the log of its last attempt."""
    if past is None or past.cli != dialect.name:
        return ""
    kept: list[str] = []
    size = 0
    for said in reversed(logged(past, dialect).said):
        size += len(said)
        if size > SUMMARY_CHARS:
            break
        kept.append(said)
    return "\n".join(reversed(kept))


def logged(past: Remembered, dialect: Dialect) -> Answer:
    """Return what the end of an attempt's log tells of its run."""
    answer = Answer()
    for value in _json_lines(Path(past.log)) if past.log else ():
        dialect.read(value, answer)
    return answer


def _json_lines(path: Path) -> list[Mapping[str, object]]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return []
    values: list[Mapping[str, object]] = []
    for line in lines:
        try:
            value = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(value, dict):
            values.append(value)
    return values


def log_path(ctx: StepContext) -> str | None:
    """Return where the attempt's log lies, if it is a file."""
    return str(ctx.log.path) if isinstance(ctx.log, FileLog) else None

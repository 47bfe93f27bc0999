r"""One line of the journal: its format, its writer and its reader.

A line is one JSON object and one "\n". Its own fields stand around those of the event:

    {"len":     171,"seq":12,"synced":10,"time":"2026-11-23T17:31:22.123456Z",
     "type":"step_started","step":"a","attempt":1,
     "prev":"<16 hex>","sum":"<16 hex>"}            (one line in the file)

    len     bytes of the whole line, "\n" included, padded with spaces to 8 places
    seq     1, 2, 3, ... without a gap
    synced  the last seq that was known to be on disk when this line was written: the proof, after
            damage, that everything up to there was acknowledged and may not be missing
    time    when it happened, UTC, microseconds
    prev    `sum` of the line before; for the first line sha256("agentrun journal 1 " + task id)
    sum     sha256("agentrun journal 1 " + task id + "\n" + the line up to and without this value)

both cut to 16 hex digits. So a line proves itself, its place, and the task it belongs to: a flipped
bit, a line of another task, a swapped or a doubled line are all told apart. The sums guard against
accidents, not against a person who computes them again.

A crafted line can't do more than a damaged one: types are checked by the decoder, numbers out of
range, NaN and deep nesting are refused as damage. Refuses to know files (journal.py, recovery.py).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

import msgspec

from agentrun.core.events import Event, Recorded
from agentrun.core.value import encoded

_FORMAT = b"agentrun journal 1 "
_TAIL = 53
"""Bytes of `,"prev":"<16>","sum":"<16>"}\n`."""
_SHORTEST = 100

DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
"""What msgspec raises for bytes that are not the JSON it expects, hostile ones included."""

_decoder: "msgspec.json.Decoder[Event] | None" = None


class Digest(Protocol):
    """A running hash, as `hashlib` makes them."""

    def update(self, data: bytes, /) -> None: ...
    def copy(self) -> "Digest": ...
    def hexdigest(self) -> str: ...


class Anchor(msgspec.Struct, frozen=True):
    """A place between two lines: after `seq`, whose sum is `sum`, at byte `offset`; `sha256` is of
    all bytes before it. With it, a prefix of the journal is proven at the speed of the hash.
    """

    seq: int
    sum: str
    offset: int
    sha256: str


class Unreadable(Exception):
    """A line that proves itself, but does not hold an event that this version knows."""


class LineCodec:
    """Writes and reads the lines of one task."""

    __slots__ = ("_second", "_second_text", "_seed", "genesis", "scrub")

    def __init__(self, task_id: str, scrub: Callable[[bytes], bytes] | None = None) -> None:
        self._seed = _FORMAT + task_id.encode() + b"\n"
        self.genesis = sha256(_FORMAT + task_id.encode()).hexdigest()[:16].encode()
        self.scrub = scrub
        self._second, self._second_text = -1, b""

    def start(self) -> Anchor:
        """Return the place before the first line."""
        return Anchor(0, self.genesis.decode(), 0, sha256().hexdigest())

    def encode(self, recorded: Recorded, prev: bytes, synced: int) -> tuple[bytes, bytes]:
        """Return the line and its sum."""
        body = encoded(recorded.event)
        if self.scrub is not None:
            body = self.scrub(body)
        head = b',"seq":%d,"synced":%d,"time":"%s",' % (
            recorded.seq,
            synced,
            self._moment(recorded.time),
        )
        size = 15 + len(head) + len(body) - 2 + _TAIL
        proven = b'{"len":%8d%s%s,"prev":"%s","sum":"' % (size, head, body[1:-1], prev)
        total = self._sum(proven)
        line = b'%s%s"}\n' % (proven, total)
        assert len(line) == size < 100_000_000, f"a line of {len(line)} bytes"
        return line, total

    def _moment(self, time: float) -> bytes:
        """Return `iso(time)`; the text of a second is kept, since making it costs a µs a line."""
        second = int(time)
        micros = round((time - second) * 1e6)
        if not 0 <= micros < 1_000_000:
            return iso(time).encode()
        if second != self._second:
            self._second, self._second_text = second, iso(second)[:20].encode()
        return b"%s%06dZ" % (self._second_text, micros)

    def follows(self, line: bytes, seq: int, prev: bytes) -> bool:
        """Return whether the line is intact and the one with this `seq` after `prev`."""
        return (
            line.startswith(b'{"len":%8d,"seq":%d,"synced":' % (len(line), seq))
            and line[-44:-28] == prev
            and self._sum(line[:-19]) == line[-19:-3]
            and line.endswith(b'"}\n')
        )

    def proves_itself(self, line: bytes) -> bool:
        """Return whether the line is an intact one of this task, whatever its place."""
        return (
            len(line) > _SHORTEST
            and line.startswith(b'{"len":%8d,"seq":' % len(line))
            and self._sum(line[:-19]) == line[-19:-3]
            and line.endswith(b'"}\n')
        )

    def _sum(self, proven: bytes) -> bytes:
        return sha256(self._seed + proven).hexdigest()[:16].encode()


def place(line: bytes) -> tuple[int, int]:
    """Return `seq` and `synced` of a line that proves itself."""
    seq, _, rest = line[22:80].partition(b',"synced":')
    return int(seq), int(rest.partition(b",")[0])


def links(line: bytes) -> tuple[bytes, bytes]:
    """Return `prev` and `sum` of a line that proves itself."""
    return line[-44:-28], line[-19:-3]


def decode(line: bytes) -> Recorded:
    """Return the event of a line that proves itself; raise Unreadable when it holds none."""
    global _decoder  # noqa: PLW0603 - building it costs 5 ms, and `run` of a new task reads nothing
    if _decoder is None:
        _decoder = msgspec.json.Decoder(Event)
    try:
        start = line.index(b',"time":"', 22, 100) + 9
        time = seconds(line[start : start + 27].decode())
        return Recorded(place(line)[0], time, _decoder.decode(line))
    except DECODE_ERRORS as error:
        raise Unreadable(str(error) or type(error).__name__) from error


def iso(time: float) -> str:
    """Return a moment as the journal writes it."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def seconds(text: str) -> float:
    """Return the seconds since the epoch of a moment as the journal writes it."""
    return datetime.fromisoformat(text).timestamp()

"""Reads both copies of a journal to their ends, says what is true, and mends the copies.

`survey` changes nothing: it finds the one chain of records that both files together prove, and how
each file differs from it. `repair` makes both files hold exactly that chain, before anything is
appended. What is told apart:

- **torn tail**: bytes behind the last record that no file proves and nothing knows of. A crash;
  they are cut off, a copy is kept aside (`journal.jsonl.torn-<UTC>`).
- **damage that the other copy cures**: flipped, missing, doubled, swapped or foreign bytes in one
  file. The bad file is kept aside (`journal.jsonl.damaged-<UTC>`) and rebuilt.
- **loss**: something proves that a record was on disk which neither file gives back. The proofs: a
  line's `synced`, any line of the mirror (written after the journal's sync only), a snapshot
  (ditto), and a whole last line with a wrong sum (a torn write leaves a short line or zeros).
  Refused as `Damaged`: cutting there would run finished steps again.

A snapshot's anchor spares reading old lines one by one: when the hash of all bytes before it fits
in both files, they are intact up to there. Where it fits in one or none, everything is read.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import msgspec

from agentrun.core.events import Recorded
from agentrun.errors import Damaged
from agentrun.store.disk import Disk
from agentrun.store.journal import JOURNAL, MIRROR
from agentrun.store.record import Anchor, Digest, LineCodec, Unreadable, decode, links, place

LINE_START = b'{"len":'
MAX_STARTS, MAX_NAMED = 64, 5


class Finding(msgspec.Struct, frozen=True):
    """What was found out about one file of a task."""

    file: str
    ok: bool
    message: str


class Loss(msgspec.Struct, frozen=True):
    """Records that were on disk once and that no copy gives back: `first` to `last`."""

    file: str
    offset: int
    first: int
    last: int
    why: str
    behind: tuple[str, ...] = ()

    def told(self) -> str:
        lost = (
            f"record {self.first} is"
            if self.first == self.last
            else (f"records {self.first} to {self.last} are")
        )
        rest = f". Whole behind it: {', '.join(self.behind)}" if self.behind else ""
        return f"{self.file}: damaged at byte {self.offset}; {lost} lost: {self.why}{rest}"


class Copy(msgspec.Struct):
    """One of the two files: `tail` is what follows the anchor (None: the file is missing)."""

    path: str
    tail: bytes | None
    padding: int = 0
    """Empty lines at the end: room that was written ahead."""
    intact: int = 0
    """Bytes of `tail` that agree with the truth, in whole lines."""

    @property
    def bytes(self) -> bytes:
        return self.tail or b""


class Survey(msgspec.Struct):
    """What both files prove. `lines` are the true ones after `anchor`; `end` is where they end."""

    anchor: Anchor
    end: Anchor
    digest: Digest
    lines: list[bytes]
    journal: Copy
    mirror: Copy
    loss: Loss | None
    findings: list[Finding]

    def records(self) -> Iterator[Recorded]:
        """Yield the events after the anchor."""
        for line in self.lines:
            try:
                yield decode(line)
            except Unreadable as error:
                seq = place(line)[0]
                message = f"{self.journal.path}: record {seq} holds no event known here: {error}"
                raise Damaged(message, "Was it written by a newer agentrun?") from error


def survey(
    disk: Disk, folder: str, codec: LineCodec, anchors: Sequence[Anchor] = (), known_seq: int = 0
) -> Survey:
    """Read both files. `anchors` come from snapshots, newest first; `known_seq` is the highest seq
    that any snapshot claims to have seen on disk.
    """
    # The mirror first: what a live writer adds in between is then only in the journal.
    paths = (f"{folder}/{MIRROR}", f"{folder}/{JOURNAL}")
    for anchor in (*anchors, codec.start()):
        tails = [_tail_after(disk, path, anchor) for path in paths]
        if anchor.offset == 0 or None not in tails:
            break
    mirror, journal = (
        _copy(path, found[0] if found else None) for path, found in zip(paths, tails, strict=True)
    )
    digest = next((found[1] for found in reversed(tails) if found), sha256())
    lines, strays = _chain(codec, anchor, journal, mirror)
    truth = b"".join(lines)
    digest.update(truth)
    last = lines[-1] if lines else None
    end = Anchor(
        place(last)[0] if last else anchor.seq,
        links(last)[1].decode() if last else anchor.sum,
        anchor.offset + len(truth),
        digest.copy().hexdigest(),
    )
    for copy in (journal, mirror):
        copy.intact = len(truth) if copy.tail == truth else _agreeing(copy.bytes, lines)
    loss = _loss(end, journal, mirror, strays, known_seq)
    return Survey(
        anchor, end, digest, lines, journal, mirror, loss, _findings(journal, mirror, truth, loss)
    )


def _copy(path: str, tail: bytes | None) -> Copy:
    size = len((tail or b"").rstrip(b"\n"))
    if tail is None or size + 1 >= len(tail):
        return Copy(path, tail)
    end = size + 1 if size else 0
    return Copy(path, tail[:end], len(tail) - end)


def _tail_after(disk: Disk, path: str, anchor: Anchor) -> tuple[bytes, Digest] | None:
    """Return the bytes after the anchor and the hash up to it; None when the prefix is not whole.

    With the anchor at 0, None means that there is no such file.
    """
    file = disk.open(path)
    if file is None:
        return None
    with file:
        digest = sha256()
        for chunk in file.chunks(0, anchor.offset):
            digest.update(chunk)
        if digest.hexdigest() != anchor.sha256:
            return None
        return b"".join(file.chunks(anchor.offset)), digest


# --- finding the chain --------------------------------------------------------------------------


def _chain(
    codec: LineCodec, anchor: Anchor, journal: Copy, mirror: Copy
) -> tuple[list[bytes], list[tuple[bytes, bool]]]:
    """Return the true lines in order, and the strays: whole lines of this task that have no place
    in them, each with whether it stands in the mirror.
    """
    lines: list[bytes] = []
    seq, prev, size = anchor.seq, anchor.sum.encode(), 0
    for line in _lines(journal.bytes):
        if not codec.follows(line, seq + 1, prev):
            break
        lines.append(line)
        seq, prev, size = seq + 1, line[-19:-3], size + len(line)
    if size == len(journal.bytes) and journal.bytes.startswith(mirror.bytes):
        return lines, []
    # Something differs: take each next line from wherever it is whole.
    whole: dict[bytes, bytes] = {}
    found: list[tuple[bytes, bool]] = []
    for copy, start in ((journal, size), (mirror, 0)):
        for line in _lines(copy.bytes[start:]):
            if proven := _proven(codec, line):
                whole.setdefault(links(proven)[0], proven)
                found.append((proven, copy is mirror))
    while (next_line := whole.get(prev)) is not None and place(next_line)[0] == seq + 1:
        lines.append(next_line)
        seq, prev = seq + 1, links(next_line)[1]
    taken = set(lines)
    return lines, [(line, mirrored) for line, mirrored in found if line not in taken]


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while (stop := data.find(b"\n", start) + 1) > 0:
        yield data[start:stop]
        start = stop
    if start < len(data):
        yield data[start:]


def _proven(codec: LineCodec, data: bytes) -> bytes | None:
    """Return the whole line that `data` is, or ends in: zeros before it hold no newline."""
    start = 0
    for _ in range(MAX_STARTS):
        if start < 0:
            return None
        if codec.proves_itself(data[start:]):
            return data[start:]
        start = data.find(LINE_START, start + 1)
    return None


def _agreeing(data: bytes, lines: list[bytes]) -> int:
    """Return how many bytes at the start of `data` are the true lines, in whole lines."""
    size = 0
    for line in lines:
        if not data.startswith(line, size):
            break
        size += len(line)
    return size


def _loss(
    end: Anchor,
    journal: Copy,
    mirror: Copy,
    strays: list[tuple[bytes, bool]],
    known_seq: int,
) -> Loss | None:
    """Return what is proven to have been on disk beyond `end`, if anything."""
    known, why = known_seq, "a snapshot was made after it"
    for line, mirrored in strays:
        seq, synced = place(line)
        proven = seq if mirrored else synced
        if proven > known:
            known, why = proven, f"record {seq}, which is whole, was written after it"
    if end.seq == 0 and known == 0:
        known, why = 1, "no copy holds the first record of the task"
    if known <= end.seq and _begins_the_next(mirror, end):
        known, why = end.seq + 1, "the second copy, which is written last, holds its beginning"
    if known <= end.seq and _spoilt_line(journal, end):
        known, why = end.seq + 1, "the line is complete, but its sum is wrong"
    if known <= end.seq:
        return None
    beyond = sorted(
        {place(line)[0]: line for line, _ in strays if place(line)[0] > end.seq}.items()
    )
    last = min([known, *(seq - 1 for seq, _ in beyond)])
    path = journal.path if journal.tail is not None else mirror.path
    behind = tuple(_named(line) for _, line in beyond[:MAX_NAMED])
    return Loss(path, end.offset, end.seq + 1, max(last, end.seq + 1), why, behind)


def _named(line: bytes) -> str:
    """Return a line's seq, and what happened to which step."""
    try:
        recorded = decode(line)
    except Unreadable:
        return str(place(line)[0])
    kind = type(recorded.event).__struct_config__.tag
    return f"{recorded.seq} {kind} {getattr(recorded.event, 'step', None) or ''}".rstrip()


def _begins_the_next(mirror: Copy, end: Anchor) -> bool:
    """Return whether the mirror holds the beginning of the record after the end.

    It was written after the journal's sync, so it can't be a torn write of a batch that was not.
    """
    start = b',"seq":%d,' % (end.seq + 1)
    return any(
        line.startswith(LINE_START) and line.startswith(start, 15)
        for line in _lines(mirror.bytes[mirror.intact :])
    )


def _spoilt_line(journal: Copy, end: Anchor) -> bool:
    """Return whether the journal goes on with a whole line that claims to be the next one.

    A write that a crash cut off leaves a short line, or zeros in place of sectors.
    """
    for line in _lines(journal.bytes[journal.intact :]):
        if len(line) < 100 or b"\0" in line or not line.startswith(b'{"len":%8d,' % len(line)):
            continue
        claims_seq = line.startswith(b'"seq":%d,' % (end.seq + 1), 16)
        if line.endswith(b'"}\n') and (claims_seq or line[-44:-28] == end.sum.encode()):
            return True
    return False


def _findings(journal: Copy, mirror: Copy, truth: bytes, loss: Loss | None) -> list[Finding]:
    found = [Finding(loss.file, ok=False, message=loss.told())] if loss else []
    for copy, live in ((journal, False), (mirror, True)):
        name = copy.path.rpartition("/")[2]
        if copy.tail is None:
            found.append(Finding(name, ok=False, message="is missing"))
        elif copy.tail == truth:
            found.append(Finding(name, ok=True, message="every record is whole and in its place"))
        elif live and truth.startswith(copy.tail) and copy.intact == len(copy.tail):
            missing = truth[copy.intact :].count(b"\n")
            found.append(Finding(name, ok=True, message=f"lags {missing} records behind"))
        else:
            found.append(Finding(name, ok=False, message=_difference(copy, truth)))
    return found


def _difference(copy: Copy, truth: bytes) -> str:
    behind = len(copy.bytes) - copy.intact
    if copy.intact == len(truth):
        return f"{behind} bytes behind the last record are not a record (a torn write)"
    records = truth[copy.intact :].count(b"\n")
    return f"differs from byte {copy.intact} after the anchor; {records} records are in the other"

"""What a run did to a folder and what it told, as the kernel saw it: strace's lines, understood.

`-xx` makes strace write all strings and paths in hexadecimal, so that a line can be cut at its
commas; `-y` names the file behind each descriptor, under the name it has at that moment. A call
counts from its return on, what is told from the moment when the call is entered: so a sync that is
still under way when something is told does not cover it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CALLS = (
    "open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "fsync,fdatasync,sync_file_range,sync,syncfs,sendfile,copy_file_range,splice"
)
OPTIONS = ("-qq", "-f", "-y", "-xx", "-s", "100000000", "--seccomp-bpf", "-e", f"trace={CALLS}")

Kind = Literal[
    "create", "cut", "write", "append", "resize", "rename", "link", "unlink", "mkdir", "rmdir",
    "sync", "told",
]  # fmt: skip


@dataclass(frozen=True)
class Call:
    """Something done to a path below the watched folder, `/` being the folder itself.

    `number` is the offset of a write or the size of a resize, `target` the new name of a rename or
    link. What is `told` has the name of the file in `path`.
    """

    kind: Kind
    path: str
    data: bytes = b""
    number: int = 0
    target: str = ""


class NotUnderstood(AssertionError):
    """The trace holds something that can't be replayed."""


_LINE = re.compile(r"^(\d+) +(.*)$")
_ENTERED = re.compile(r"^(.*?),? ?<unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_RETURNED = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)(.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})+)>(\(deleted\))?")


class Watched:
    """The folder whose `parts` (names in it) count as the disk, and the files that are told to."""

    def __init__(self, base: Path, parts: Sequence[str], told: Sequence[str]) -> None:
        self.base, self.parts, self.told = str(base), tuple(parts), frozenset(told)

    def place(self, path: str, at: str = "") -> str | None:
        """Return a path as seen from the folder, or None when it is not on the disk."""
        whole = path if path.startswith("/") else f"{at or self.base}/{path}"
        if whole == self.base:
            return "/"
        below = whole.removeprefix(f"{self.base}/")
        return f"/{below}" if below != whole and below.split("/")[0] in self.parts else None

    def name_told(self, path: str) -> str | None:
        """Return the name of a file that is told to, or None when `path` is another."""
        folder, _, name = path.rpartition("/")
        return name if folder == self.base and name in self.told else None


def calls(lines: Sequence[str], watched: Watched) -> list[Call]:
    """Return what the lines of a trace did, in order."""
    found: list[Call] = []
    under_way: dict[str, str] = {}
    for line in lines:
        matched = _LINE.match(line)
        if matched is None:
            raise NotUnderstood(line[:200])
        pid, text = matched.groups()
        if entered := _ENTERED.match(text):
            under_way[pid] = entered[1]
            found += _told(entered[1], watched)
            continue
        if resumed := _RESUMED.match(text):
            begun = under_way.pop(pid)
            found += _done(begun + resumed[1], watched)
            continue
        found += _told(text, watched)
        found += _done(text, watched)
    return found


def _told(text: str, watched: Watched) -> Iterator[Call]:
    """Yield what a call that writes to a told file tells, from its beginning."""
    name, _, arguments = text.partition("(")
    if name not in {"write", "writev"}:
        return
    path, _ = _behind(arguments)
    told = watched.name_told(path) if path else None
    if told is not None:
        yield Call("told", told, _bytes(arguments))


def _done(text: str, watched: Watched) -> Iterator[Call]:
    """Yield what a call has changed on the disk."""
    matched = _RETURNED.match(text)
    if matched is None or matched[3] in {"-1", "?"}:
        return
    name, arguments, returned = matched[1], matched[2].split(", "), int(matched[3])
    if name in {"open", "openat", "creat"}:
        yield from _opened(name, arguments, watched)
    elif name in {"rename", "renameat", "renameat2", "link", "linkat"}:
        source, target = _paths(arguments, watched)
        if source or target:
            if not (source and target):
                raise NotUnderstood(f"{name} from or to another place: {source} {target}")
            yield Call("link" if name.startswith("link") else "rename", source, target=target)
    elif name in {"unlink", "rmdir", "mkdir", "unlinkat", "mkdirat"}:
        yield from _named(name, arguments, watched)
    else:
        yield from _on_descriptor(name, arguments, returned, watched)


def _opened(name: str, arguments: list[str], watched: Watched) -> Iterator[Call]:
    path = _paths(arguments, watched)[0]
    flags = "O_CREAT|O_TRUNC" if name == "creat" else arguments[2 if name == "openat" else 1]
    if path is not None and "O_CREAT" in flags:
        yield Call("create", path)
    if path is not None and "O_TRUNC" in flags:
        yield Call("cut", path)


def _named(name: str, arguments: list[str], watched: Watched) -> Iterator[Call]:
    path = _paths(arguments, watched)[0]
    if path is None:
        return
    if name.startswith("mkdir"):
        yield Call("mkdir", path)
    elif name == "rmdir" or "AT_REMOVEDIR" in arguments[-1]:
        yield Call("rmdir", path)
    else:
        yield Call("unlink", path)


def _on_descriptor(
    name: str, arguments: list[str], returned: int, watched: Watched
) -> Iterator[Call]:
    behind, deleted = _behind(arguments[0])
    path = watched.place(behind) if behind else None
    if name in {"fsync", "fdatasync"} and path is not None and not deleted:
        yield Call("sync", path)
    elif path is None or path == "/":
        return
    elif name in {"write", "writev"} and not deleted:
        yield Call("append", path, _bytes(", ".join(arguments))[:returned])
    elif name in {"pwrite64", "pwritev"} and not deleted:
        data = _bytes(", ".join(arguments))[:returned]
        yield Call("write", path, data, int(arguments[-1]))
    elif name == "ftruncate" and not deleted:
        yield Call("resize", path, number=int(arguments[1]))
    elif not deleted:
        raise NotUnderstood(f"{name} of {path}")


def _paths(arguments: list[str], watched: Watched) -> list[str | None]:
    """Return the places of the paths among the arguments, each from the folder before it."""
    found: list[str | None] = []
    at = ""
    for argument in arguments:
        if given := _STRING.fullmatch(argument):
            found.append(watched.place(_text(given[1]), at))
        elif behind := _behind(argument)[0]:
            at = behind
    return found


def _behind(argument: str) -> tuple[str, bool]:
    matched = _DESCRIPTOR.match(argument)
    return (_text(matched[1]), matched[2] is not None) if matched else ("", False)


def _bytes(arguments: str) -> bytes:
    return b"".join(_raw(part) for part in _STRING.findall(arguments))


def _text(escaped: str) -> str:
    return _raw(escaped).decode("utf-8", "surrogateescape")


def _raw(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))

"""A YAML file as plain data with the place of every key and value: safe, strict, bounded.

Owns decoding, limits and positions. Refuses to know what the keys mean. It reads parser *events*
with a stack of its own, so that depth, node count and alias expansion are bounded before anything
is built, for libyaml (whose composer recurses in C) as for the pure parser.

The same files are accepted with and without libyaml: libyaml is used for ordinary files only, and
whatever it refuses, and whatever holds something the two parsers are known to read differently
(tabs, tags, directives, complex keys, odd line breaks), is decided by the pure parser.

Decided: keys are text as written (`on:` is "on"), duplicate keys are refused, tags are refused,
`<<` merges mappings as in YAML 1.1, one document to a file.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from agentrun.workflow.hints import did_you_mean
from agentrun.workflow.problems import Problem
from agentrun.workflow.source_file import MAX_BYTES
from agentrun.workflow.yaml_scalars import Scalar, resolve

MAX_NODES = 250_000
MAX_DEPTH = 64
MAX_EXPANDED_NODES = 250_000
MAX_EXPANDED_CHARS = 16 << 20
"""What the file may grow to when aliases are written out."""

_UNPRINTABLE = re.compile(
    r"[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_UNUSUAL = re.compile(
    "[\t\r\x85\u2028\u2029\ufeff]|^%|(?:^|[-:,{\\[]) *\\?\\s|[|>][-+0-9]*#", re.MULTILINE
)

Key = str | int
Path = tuple[Key, ...]


@dataclass(slots=True)
class Node:
    """One value of the file. `value` is a scalar, a list of nodes or a mapping of nodes.

    `line`, `column` count from 1. `raw` is a plain scalar as written; `surprise` says why it is
    read differently by different readers. `keys` has the place of every key of a mapping.
    """

    value: "Scalar | list[Node] | dict[str, Node]"
    line: int
    column: int
    raw: str | None = None
    surprise: str = ""
    block: bool = False
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    nodes: int = 1
    chars: int = 0
    height: int = 1


class Unreadable(Exception):
    """The text is not YAML that is accepted here; nothing of it can be used."""

    def __init__(self, message: str, line: int = 0, column: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.hint = message, line, column, hint


class Source:
    """A parsed file: `data` is plain JSON data, `root` the nodes, `lines` the text by line."""

    def __init__(self, file: str, text: str, root: Node) -> None:
        self.file = file
        self.lines = text.split("\n")
        self.root = root
        self.data = _plain(root)

    def node(self, path: Iterable[Key]) -> Node:
        """Return the node at a path, or the nearest one above it."""
        node = self.root
        for key in path:
            children = node.value
            if isinstance(children, dict) and key in children:
                node = children[str(key)]
            elif isinstance(children, list) and isinstance(key, int) and key < len(children):
                node = children[key]
            else:
                break
        return node

    def place(self, path: Path, *, of_key: bool = False) -> tuple[int, int]:
        """Return line and column of the value at a path, or of its key."""
        if path and (of_key or self.node(path).raw == ""):
            parent = self.node(path[:-1])
            if (place := parent.keys.get(str(path[-1]))) is not None:
                return place
        node = self.node(path)
        return node.line, node.column

    def place_of(self, path: Path, text: str, nth: int = 0) -> tuple[int, int]:
        """Return the place of the nth `text` inside the scalar at a path."""
        line, column = self.place(path)
        for number in range(line, min(line + 2000, len(self.lines)) + 1):
            row = self.lines[number - 1]
            at = row.find(text, column - 1 if number == line else 0)
            while at >= 0:
                if nth == 0:
                    return number, at + 1
                nth -= 1
                at = row.find(text, at + 1)
        return line, column

    def line_text(self, line: int) -> str:
        """Return a line of the file."""
        return self.lines[line - 1].rstrip("\r") if 0 < line <= len(self.lines) else ""

    def surprises(self) -> Iterator[tuple[Path, Node]]:
        """Yield every scalar that YAML readers disagree about, with its path."""
        return _surprises(self.root, ())


def decode(data: bytes) -> str:
    """Return the text of a file. Raises Unreadable for what is not UTF-8 text of a sane size."""
    if len(data) > MAX_BYTES:
        raise Unreadable(f"the file is larger than {MAX_BYTES >> 20} MiB", hint="is it a workflow?")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("the file is UTF-16, which is not UTF-8", hint="save the file as UTF-8")
    if b"\0" in data[:8192]:
        raise Unreadable("this is a binary file, not a workflow")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise Unreadable(message, line, column, "save the file as UTF-8") from None
    return text.replace("\r\n", "\n")


def parse(text: str, file: str) -> tuple[Source | None, list[Problem]]:
    """Return the file's data and places, and what is wrong with it as YAML."""
    try:
        builder = _read(text)
    except Unreadable as error:
        lines = text.split("\n")
        source_line = lines[error.line - 1] if 0 < error.line <= len(lines) else ""
        at = (error.line, error.column, source_line)
        return None, [Problem(file, *at, error.message, error.hint)]
    assert builder.root is not None
    source = Source(file, text, builder.root)
    problems = [
        Problem(file, line, column, source.line_text(line), message, hint)
        for line, column, message, hint in builder.findings
    ]
    return source, problems


def _read(text: str) -> "_Builder":
    if match := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        raise Unreadable(f"the character U+{ord(match[0]):04X} is not allowed", line, column)
    fast = getattr(yaml, "CSafeLoader", None)
    if fast is not None and not _UNUSUAL.search(text):
        try:
            return _build(text, fast)
        except (yaml.YAMLError, Unreadable):
            pass  # the pure parser decides, and words the message
    try:
        return _build(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text) from None


def _build(text: str, loader: Any) -> "_Builder":
    builder = _Builder()
    for event in yaml.parse(text, Loader=loader):
        builder.feed(event)
    if builder.root is None or builder.root.raw == "":
        raise Unreadable("the file is empty", hint="a workflow needs at least `steps:`")
    return builder


@dataclass(slots=True)
class _Open:
    """A collection being read."""

    node: Node
    anchor: str | None
    key: str | None = None
    merges: list[Node] = field(default_factory=list)
    skip: bool = False


class _Builder:
    """Turns parser events into nodes, with every limit checked on the way."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.findings: list[tuple[int, int, str, str]] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._documents = 0

    def feed(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise _at(event, "a second document starts here", "one workflow to a file")

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1)
        raw: str = event.value
        if event.tag is not None and event.tag != "!":
            raise _at(
                event, f"the tag `{event.tag}` is not used here", "write the value without it"
            )
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.key is None and isinstance(parent.node.value, dict):
            self._key(parent, raw, place, plain=event.implicit[0])
            return
        if event.implicit[0]:
            value, surprise = resolve(raw)
            node = Node(value, *place, raw, surprise, chars=len(raw))
        else:
            node = Node(raw, *place, block=event.style in ("|", ">"), chars=len(raw))
        self._name(event.anchor, node)
        self._add(node)

    def _key(self, parent: _Open, raw: str, place: tuple[int, int], *, plain: bool) -> None:
        if plain and raw in ("", "~", "null"):
            raise Unreadable("a key is empty", *place)
        assert isinstance(parent.node.value, dict)
        parent.key = raw
        parent.skip = raw in parent.node.keys
        if parent.skip:
            first = parent.node.keys[raw][0]
            self.findings.append(
                (*place, f"the key `{raw}` stands twice", f"it is first on line {first}; keep one")
            )
        elif raw != "<<":
            parent.node.keys[raw] = place

    def _open(self, event: Any, value: "list[Node] | dict[str, Node]") -> None:
        if event.tag is not None and event.tag != "!":
            raise _at(
                event, f"the tag `{event.tag}` is not used here", "write the value without it"
            )
        if len(self._stack) >= MAX_DEPTH:
            raise _at(event, f"this is nested deeper than {MAX_DEPTH} levels")
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.key is None and isinstance(parent.node.value, dict):
            hint = 'quote it: "{{ ... }}", and write `${{ ... }}` for an expression'
            raise _at(event, "a key can't be a list or a mapping", hint)
        mark = event.start_mark
        self._stack.append(_Open(Node(value, mark.line + 1, mark.column + 1), event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if done.merges:
            _merge(done)
        self._name(done.anchor, done.node)
        self._add(done.node)

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            inside = any(each.anchor == event.anchor for each in self._stack)
            what = "refers to itself" if inside else "refers to an anchor that is not defined above"
            hint = "" if inside else did_you_mean(event.anchor, self._anchors)
            raise _at(event, f"`*{event.anchor}` {what}", hint)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.key is None and isinstance(parent.node.value, dict):
            raise _at(event, "an alias can't be a key")
        self._add(node)
        if len(self._stack) + node.height > MAX_DEPTH:
            raise _at(event, f"this is nested deeper than {MAX_DEPTH} levels")

    def _name(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _add(self, node: Node) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise Unreadable(f"the file has more than {MAX_NODES:,} values", node.line, node.column)
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        holder, children = parent.node, parent.node.value
        holder.nodes += node.nodes
        holder.chars += node.chars
        if node.height >= holder.height:
            holder.height = node.height + 1
        if holder.nodes > MAX_EXPANDED_NODES or holder.chars > MAX_EXPANDED_CHARS:
            raise Unreadable("aliases blow this file up beyond all bounds", node.line, node.column)
        if isinstance(children, list):
            children.append(node)
        elif isinstance(children, dict) and parent.key is not None:
            if parent.key == "<<":
                parent.merges.append(node)
            elif not parent.skip:
                children[parent.key] = node
            parent.key = None


def _merge(done: _Open) -> None:
    """Add the keys of `<<: *base` that the mapping does not have itself; earlier bases win."""
    own = done.node.value
    assert isinstance(own, dict)
    for given in done.merges:
        bases = given.value if isinstance(given.value, list) else [given]
        for base in bases:
            if not isinstance(base.value, dict):
                raise Unreadable("`<<` merges mappings only", given.line, given.column)
            for key, node in base.value.items():
                own.setdefault(key, node)
                done.node.keys.setdefault(key, base.keys[key])


def _plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _surprises(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if node.surprise:
        yield path, node
    if isinstance(node.value, dict):
        for key, each in node.value.items():
            yield from _surprises(each, (*path, key))
    elif isinstance(node.value, list):
        for index, each in enumerate(node.value):
            yield from _surprises(each, (*path, index))


def _at(event: Any, message: str, hint: str = "") -> Unreadable:
    mark = event.start_mark
    return Unreadable(message, mark.line + 1, mark.column + 1, hint)


def _syntax_error(error: yaml.YAMLError, text: str) -> Unreadable:
    from agentrun.workflow.yaml_messages import worded

    return worded(error, text)

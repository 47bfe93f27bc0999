"""Parser events become nodes: plain values with their places, every limit checked on the way.

Owns the bounds, duplicate keys, aliases and merges. A stack of its own bounds the depth before
anything recurses.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from agentrun.workflow.hints import did_you_mean
from agentrun.workflow.yaml_scalars import Scalar, resolve

MAX_NODES = 250_000
MAX_DEPTH = 64
MAX_EXPANDED_NODES = 250_000
MAX_EXPANDED_CHARS = 16 << 20
"""What the file may grow to when aliases are written out."""


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


@dataclass(slots=True)
class _Open:
    """A collection being read."""

    node: Node
    anchor: str | None
    key: str | None = None
    merges: list[Node] = field(default_factory=list)
    skip: bool = False


class Builder:
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


def _at(event: Any, message: str, hint: str = "") -> Unreadable:
    mark = event.start_mark
    return Unreadable(message, mark.line + 1, mark.column + 1, hint)

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
from typing import Any

import yaml

from agentrun.workflow.problems import Problem
from agentrun.workflow.source_file import MAX_BYTES
from agentrun.workflow.yaml_builder import Builder, Node, Unreadable

_UNPRINTABLE = re.compile(
    r"[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_UNUSUAL = re.compile(
    "[\t\r\x85\u2028\u2029\ufeff]|^%|(?:^|[-:,{\\[]) *\\?\\s|[|>][-+0-9]*#", re.MULTILINE
)

Key = str | int
Path = tuple[Key, ...]


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


def _read(text: str) -> "Builder":
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


def _build(text: str, loader: Any) -> "Builder":
    builder = Builder()
    for event in yaml.parse(text, Loader=loader):
        builder.feed(event)
    if builder.root is None or builder.root.raw == "":
        raise Unreadable("the file is empty", hint="a workflow needs at least `steps:`")
    return builder


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


def _syntax_error(error: yaml.YAMLError, text: str) -> Unreadable:
    from agentrun.workflow.yaml_messages import worded

    return worded(error, text)

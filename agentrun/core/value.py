"""Values as the journal holds them: inline, by reference to a blob, or assembled from items.

A secret's value never reaches disk: where a value holds one, `secrets` maps each placeholder that
stands in the value to the name of the environment variable it is resolved from again. The
placeholders are chosen so that they do not occur in the value otherwise (store/values.py).

A task of 100,000 steps holds as many of them: `gc=False` keeps them out of the garbage collector's
sight, where they can't be part of a cycle.

No file can hold half of a surrogate pair as UTF-8. It comes from JSON, from functions, and from
what the system hands over in bytes that are no UTF-8. A value keeps it, as JSON's escape in a blob;
any other text is written with U+FFFD in its place.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from agentrun.core.model import Json

_encoder = msgspec.json.Encoder()


class Inline(Struct, frozen=True, tag_field="in", tag="inline", omit_defaults=True, gc=False):
    """A small value, as it is."""

    value: Json
    secrets: Mapping[str, str] | None = None


class Blob(Struct, frozen=True, tag_field="in", tag="blob", omit_defaults=True, gc=False):
    """A large value: the JSON text in `blobs/<sha256>`, `size_bytes` long."""

    blob: str
    size_bytes: int
    secrets: Mapping[str, str] | None = None


class Items(Struct, frozen=True, tag_field="in", tag="items", omit_defaults=True, gc=False):
    """The output of a `for_each`: the list of the outputs of its `items` children, in order.
    A child without an output (failed, skipped) stands as null.
    """

    items: int


Value = Inline | Blob | Items
NOTHING = Inline(None)


def whole(text: str) -> str:
    """Return the text with U+FFFD for each half of a surrogate pair."""
    import re

    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def escaped(value: object) -> bytes:
    """Return the value as JSON that keeps half of a surrogate pair as its escape."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        import json

        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def encoded(value: object) -> bytes:
    """Return what msgspec makes of a value, whatever its texts hold."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        import json

        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return _encoder.encode(json.loads(whole(text)))

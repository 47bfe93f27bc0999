"""Text that no file can hold as UTF-8, and how it is written all the same.

Halves of surrogate pairs come from JSON, from functions, and from what the system hands over in
bytes that are no UTF-8. Each becomes U+FFFD, as such bytes do in what a program prints.
"""

import msgspec

_encoder = msgspec.json.Encoder()


def whole(text: str) -> str:
    """Return the text with U+FFFD for each half of a surrogate pair."""
    import re

    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def encoded(value: object) -> bytes:
    """Return what msgspec makes of a value, whatever its texts hold."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        import json

        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return _encoder.encode(json.loads(whole(text)))

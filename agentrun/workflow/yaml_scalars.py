"""What a plain YAML scalar means, and where its readers disagree.

JSON's meaning where every YAML reader agrees; a *surprise* where they do not: `no` is false in YAML
1.1 and text in 1.2, `012` is ten or twelve, `1_000` is a number or text, `12e45` was a commit id.
A surprise is refused wherever its meaning matters. Dates stay text: JSON has none.
"""

import re

Scalar = None | bool | int | float | str

_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_TRUE = frozenset({"yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"no", "No", "NO", "off", "Off", "OFF"})
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?(?:0|[1-9][0-9]*)\.")
_DISPUTED = re.compile(
    r"[-+]?0[0-9_]+(?:\.[0-9_]*)?|0o[0-7]+|0b[01_]+|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
MAX_INT_DIGITS = 18
"""Beyond it a number is not the same in every JSON reader."""


def resolve(raw: str) -> tuple[Scalar, str]:
    """Return the value of a plain scalar, and why it is a surprise ("" when it is none)."""
    if raw in _WORDS:
        return _WORDS[raw], ""
    if raw in _TRUE or raw in _FALSE:
        return raw in _TRUE, f"`{raw}` is a boolean to some YAML readers and text to others"
    if raw[0] not in "+-.0123456789":
        return raw, ""
    if _DISPUTED.fullmatch(raw):
        return (
            raw,
            f"`{raw}` is a number to some YAML readers and text, or another number, to others",
        )
    if _INT.fullmatch(raw):
        if len(raw.lstrip("+-")) > MAX_INT_DIGITS:
            return raw, f"`{raw[:40]}` is too long for a number"
        return int(raw), ""
    if _HEX.fullmatch(raw):
        return int(raw, 16), ""
    if _FLOAT.fullmatch(raw):
        number = float(raw)
        if number in (float("inf"), float("-inf")):
            return raw, f"`{raw[:40]}` is too large for a number"
        return number, ""
    return raw, ""

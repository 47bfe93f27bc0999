"""Whether a word is another one misspelt, and not another word.

One letter too many, too few, wrong, or two swapped; nothing that tells names apart on purpose: no
digit differs, and no part of a name that is too short to be misspelt (`orders_a`, `us-east`).
"""

import re
from collections.abc import Iterable

MIN_PART = 3
MIN_PART_TO_REPLACE = 4


def meant(word: str, offered: Iterable[str]) -> str | None:
    """Return the one of `offered` that the word misspells; None when there is none, or several."""
    found = {each for each in offered if each != word and is_typo(word, each)}
    return found.pop() if len(found) == 1 else None


def is_typo(word: str, other: str) -> bool:
    """Return whether the two differ by one slip of the fingers."""
    if re.findall(r"\d+", word) != re.findall(r"\d+", other) or abs(len(word) - len(other)) > 1:
        return False
    if word.casefold() == other.casefold():
        return True
    parts, others = re.split(r"[-_./ ]", word), re.split(r"[-_./ ]", other)
    if len(parts) != len(others):
        return re.sub(r"[-_. ]", "", word) == re.sub(r"[-_. ]", "", other)
    differing = [(a, b) for a, b in zip(parts, others, strict=True) if a != b]
    return len(differing) == 1 and _slip(*differing[0])


def _slip(a: str, b: str) -> bool:
    if len(a) > len(b):
        a, b = b, a
    if len(a) < MIN_PART:
        return False
    if len(a) < len(b):
        return any(b[:i] + b[i + 1 :] == a for i in range(len(b)))
    different = [i for i in range(len(a)) if a[i] != b[i]]
    if len(different) == 1:
        return len(a) >= MIN_PART_TO_REPLACE
    i = different[0]
    swapped = a[:i] + a[i + 1 : i + 2] + a[i] + a[i + 2 :]
    return len(different) == 2 and swapped == b

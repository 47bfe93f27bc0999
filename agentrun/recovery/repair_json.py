"""JSON as models break it, mended without asking again, where nothing of the meaning is lost.

Owns what counts as mending: prose and fences around, comments, trailing commas, other quotes,
Python's literals, missing closing brackets. Refuses what would change the meaning: a refusal that
becomes an empty text, several values that become a list, content that was cut off or made up.
Every repair comes with a sentence that says what was done, for the journal.

The library mends whatever it is given; so its answer counts only when it holds the very words and
numbers of the text's JSON, no more and no fewer.
"""

import ast
import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NoReturn

from agentrun.core.model import Json, OutputSpec

Validate = Callable[[Json, OutputSpec], Json]
"""steps/output.py `parse`: returns the value, or raises ValueError (`BadOutput`)."""

MAX_CHARS = 1_000_000
"""A longer text is not mended: the library's work grows faster than the text."""
MAX_DEPTH = 50

_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"\s*<think(?:ing)?>")
_END_OF_THOUGHT = re.compile(r"</think(?:ing)?>")
_BEGINNING = re.compile(r"\{\s*[\"'“\w/}#]|\[\s*[\"'“{\[\]\d-]")
_COMMENT = re.compile(r"(?<![:\w\"'])//[^\n]*|/\*.*?\*/|(?m:^[ \t]*#[^\n]*)", re.DOTALL)
_COMMENT_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|,(\s*[}\]])', re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"\w+")
_CLOSES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}
"""What ends a quoted text. All but the first may also stand within a text."""
_AFTER = re.compile(r"\s{0,99}(?:[,:}\]]|\Z)")
_MARKS = {"{": "object", "[": "list", ":": "key"}
_PYTHON = {"None": "null", "True": "true", "False": "false"}


def repair(text: str, spec: OutputSpec, validate: Validate) -> tuple[Json, str] | None:
    """Return the mended value and what was mended, or None where that can't be done safely."""
    if spec.form not in {"json", "schema"} or len(text) > MAX_CHARS:
        return None
    body, told = _json_part(text)
    if body is None or (value := _mended(body)) is None:
        return None
    try:
        fits = validate(value, spec)
    except ValueError:
        return None
    told.extend(_what_was_wrong(body))
    return fits, f"JSON: {', '.join(told) or 'its syntax corrected'}"


def _json_part(text: str) -> tuple[str | None, list[str]]:
    """Return the one piece of the text that is meant as JSON, and what was left out around it."""
    text, told = _without_thought(text)
    fenced = [block for block in _FENCE.findall(text) if block.lstrip()[:1] in {"{", "["}]
    if len(fenced) > 1:
        return None, []
    if fenced:
        return fenced[0].strip(), [*told, "taken out of its code fence"]
    begins = _BEGINNING.search(text)
    if begins is None:
        return None, []
    start = begins.start()
    end = _end_of_value(text, start)
    if _starts_another(text, end):
        return None, []
    prose = text[:start].strip(" \t\r\n`") or text[end:].strip(" \t\r\n`")
    return text[start:end], [*told, "prose around it left out"] if prose else told


def _without_thought(text: str) -> tuple[str, list[str]]:
    """Return the text without what a model thought aloud before it; a thought without an end is
    all there is.
    """
    if _THOUGHT.match(text) is None:
        return text, []
    end = _END_OF_THOUGHT.search(text)
    return ("", []) if end is None else (text[end.end() :], ["the thought before it left out"])


def _end_of_value(text: str, start: int) -> int:
    """Return where the brackets opened at `start` are closed again, or the end of the text."""
    depth = 0
    for at, char in enumerate(_blanked(text[start:]), start):
        if char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return at + 1
    return len(text)


def _blanked(text: str) -> str:
    """Return the text with spaces for what stands in quotes, and `"` for a quote left open."""
    kept: list[str] = []
    before, at = "", 0
    while at < len(text):
        char = text[at]
        if char == '"' or (char in _CLOSES and before in {"", "{", "[", ",", ":"}):
            end = _end_of_text(text, at)
            if end is None:
                return "".join(kept) + '"' + " " * (len(text) - at - 1)
            kept.append(" " * (end - at))
            before, at = char, end
        else:
            kept.append(char)
            before, at = before if char.isspace() else char, at + 1
    return "".join(kept)


def _end_of_text(text: str, start: int) -> int | None:
    """Return where the text ends that is quoted from `start`; None where it is left open."""
    closes = _CLOSES[text[start]]
    at = start + 1
    while at < len(text):
        if text[at] == closes and (closes == '"' or _AFTER.match(text, at + 1)):
            return at + 1
        at += 1 + (text[at] == "\\")
    return None


def _starts_another(text: str, end: int) -> bool:
    return re.search(r"[{\[]\s*[\"'{\[\]}\d-]", text[end:]) is not None


def _mended(body: str) -> Json | None:
    """Read it as it is, without comments and trailing commas, closed, as Python, as the library."""
    closed = "" if _cut_off(body) else "}" * len(_left_open(body))
    for text in (body, _COMMENT_OR_COMMA.sub(r"\1\2", body), body + closed):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text, strict=False, parse_constant=_refuse_constant)
    value = _literal(body)
    return value if value is not None and _same_content(body, value) else _guessed(body)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _literal(body: str) -> Json | None:
    """Return the value of a Python literal that JSON can express."""
    try:
        value = ast.literal_eval(body)
        again = json.loads(json.dumps(value, allow_nan=False))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return again if again == value else None


def _guessed(body: str) -> Json | None:
    from json_repair import repair_json

    if _cut_off(body):
        return None
    try:
        value = repair_json(body, return_objects=True, skip_json_loads=True)
    except (RecursionError, ValueError):
        return None
    if not isinstance(value, dict | list) or type(value) is not _container(body):
        return None
    return value if _same_content(body, value) else None


def _container(body: str) -> type:
    return dict if body.startswith("{") else list


def _cut_off(body: str) -> bool:
    """Return whether more than closing brackets may be gone at the end. A number may have had more
    digits, unless something follows it; a list may have had more items.
    """
    end = body.rstrip()
    if "[" in _left_open(body) or '"' in _blanked(body):
        return True
    if end[-1:] in {"}", "]"}:
        return False
    if body == end and re.search(r"[\d.eE+-]$", end):
        return not re.search(r"\b(?:true|false|True|False|None)$", end)
    return re.search(r"[{,]\s*([\"'])[^\"'\\]*\1\s*$|[:,{]$", end) is not None


def _left_open(body: str) -> str:
    """Return the brackets that are never closed, outermost first."""
    opened = ""
    for bracket in re.findall(r"[{\[\]}]", _blanked(body)):
        if bracket in "{[":
            opened += bracket
        else:
            opened = opened[:-1]
    return opened


def _same_content(body: str, value: Json) -> bool:
    """Return whether the value holds every word of the text that is no comment, and no other, has
    its objects, lists and keys, nothing became a text that was none, and no bracket or quote went
    into a text.
    """
    meant = _COMMENT.sub(" ", body)
    form = _blanked(meant)
    if re.search(r"\.\.\.|…", form) or '"""' in meant:
        return False
    plain = _unescaped(meant)
    atoms = list(_atoms(value, 0))
    held = "".join(atom for _kind, atom in atoms)
    if any(held.count(each) != meant.count(each) - form.count(each) for each in "{}[]"):
        return False
    kinds = Counter(kind for kind, _atom in atoms)
    if any(form.count(mark) != kinds[kind] for mark, kind in _MARKS.items()):
        return False
    texts = (atom for kind, atom in atoms if kind == "text" and atom.strip())
    if not all(_stands_quoted(atom.strip(), meant, plain) for atom in texts):
        return False
    return _words(plain) == _words(" ".join(atom for _kind, atom in atoms))


def _stands_quoted(words: str, *texts: str) -> bool:
    """Return whether a quote stands before its beginning and another after its end."""
    begin = re.compile(r"[\"'`“‘]\s*" + _spaced(words[:20]))
    end = re.compile(_spaced(words[-20:]) + r"\s*[\"'`”’]")
    return any(begin.search(text) for text in texts) and any(end.search(text) for text in texts)


def _spaced(words: str) -> str:
    return r"\s+".join(re.escape(word) for word in words.split())


def _words(text: str) -> list[str]:
    numbers = _NUMBER.sub(lambda found: f" n{hash(float(found[0]))} ", text)
    return sorted(_PYTHON.get(word, word) for word in _WORD.findall(numbers))


def _unescaped(text: str) -> str:
    return re.sub(
        r"\\u([0-9a-fA-F]{4})|\\(.)",
        lambda m: chr(int(m[1], 16)) if m[1] else (" " if m[2] in "nrtbf" else m[2]),
        text,
        flags=re.DOTALL,
    )


def _atoms(value: Json, depth: int) -> Iterator[tuple[str, str]]:
    """Give keys, texts, other values, objects and lists one by one, each with what it is."""
    if depth > MAX_DEPTH:
        return
    match value:
        case str():
            yield "text", value
        case dict():
            yield "object", ""
            for key, item in value.items():
                yield "key", str(key)
                yield from _atoms(item, depth + 1)
        case list():
            yield "list", ""
            for item in value:
                yield from _atoms(item, depth + 1)
        case _:
            yield "other", json.dumps(value)


def _what_was_wrong(body: str) -> Iterator[str]:
    if _COMMENT.search(body):
        yield "comments removed"
    if re.search(r",\s*[}\]]", body):
        yield "trailing commas removed"
    if body[-1:] not in {"}", "]"} or body.count("{") > body.count("}"):
        yield "closing brackets added"
    if re.search(r"[{,]\s*'", body):
        yield "single quotes replaced"
    if re.search(r"\b(?:None|True|False)\b", body):
        yield "Python's literals replaced"

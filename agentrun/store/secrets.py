"""Keeps the values of secrets off the disk: placeholders that can be resolved, and redaction.

Owns the forms in which a secret turns up (as it is, escaped in JSON, URL-encoded, hexadecimal, and
in base64 wherever it stands in the encoded text) and two answers to them:

- `hide` / `reveal` for values that the task needs again: each occurrence becomes a placeholder like
  `[secret TOKEN]`, which names the environment variable (`TOKEN`, or `TOKEN|url` for a form of it);
- `redact` / `scrub` for text that people read: each occurrence becomes `***`.

Secrets shorter than MIN_LENGTH are left alone: they would turn up everywhere. Encoded forms are
looked for from MIN_ENCODED on.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from agentrun.core.events import Event
from agentrun.core.model import Json
from agentrun.core.value import encoded, escaped, whole
from agentrun.errors import UsageError

MIN_LENGTH = 4
MIN_ENCODED = 6
URL_SAFE = ("!'()*", "!$&'()*+,/:;=?@", "!#$&'()*+,/:;=?@[]")
"""What URL encoders leave as it is: a part of a query, a path as clients send it, a whole URL."""
LITERAL = "|json"
"""The reference of the placeholder before a number that holds a secret's digits."""
FREE_TEXT = frozenset(
    ("message", "evidence", "hint", "tail", "reason", "cause", "question", "warnings", "exception")
)
"""Fields of events that are text for people, nowhere decided upon."""


class Secrets:
    """The secrets of a task, by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.learn(values)

    def learn(self, values: Mapping[str, str]) -> None:
        """Know these from now on, instead of those known so far."""
        forms: dict[str, str] = {}
        for name, value in values.items():
            if len(value) >= MIN_LENGTH:
                for form, text in _forms(whole(value)):
                    forms.setdefault(text, name + form)
                forms.setdefault(value, f"{name}|bytes")  # where it is no UTF-8
        self._forms = dict(sorted(forms.items(), key=lambda item: -len(item[0])))
        self._texts = {reference: text for text, reference in self._forms.items()}
        self._needles = tuple(escaped(text)[1:-1] for text in self._forms)

    def occur_in(self, encoded: bytes) -> bool:
        """Return whether a secret stands in this JSON text."""
        return bool(self._needles) and any(needle in encoded for needle in self._needles)

    def hide(self, value: Json, encoded: bytes) -> tuple[Json, dict[str, str]]:
        """Return the value with placeholders, and what each of them stands for."""
        used: dict[str, str] = {}

        def placeholder(reference: str) -> str:
            mark = f"[secret {reference.replace('|', ' ').strip()}]"
            number = 1
            while msgspec.json.encode(mark)[1:-1] in encoded:
                number += 1
                mark = f"[secret {reference.replace('|', ' ').strip()} #{number}]"
            used[mark] = reference
            return mark

        def hide_text(text: str) -> str:
            return self._replace(text, lambda found: placeholder(self._forms[found]))

        def hide_number(number: float) -> Json:
            text = msgspec.json.encode(number).decode()
            hidden = hide_text(text)
            return number if hidden == text else placeholder(LITERAL) + hidden

        return _mapped(value, hide_text, hide_number), used

    def reveal(self, value: Json, used: Mapping[str, str]) -> Json:
        """Return the value with the secrets in the places of the placeholders."""
        texts = {mark: self._text_of(ref) for mark, ref in used.items() if ref != LITERAL}
        literal = next((mark for mark, ref in used.items() if ref == LITERAL), None)

        def reveal_text(text: str) -> Json:
            if literal is not None and text.startswith(literal):
                return msgspec.json.decode(_replaced(text.removeprefix(literal), texts))
            return _replaced(text, texts)

        return _mapped(value, reveal_text, lambda number: number)

    def redact(self, text: str) -> str:
        """Return text for people, with `***` where a secret stood."""
        return self._replace(text, lambda _: "***")

    def scrub(self, body: bytes) -> bytes:
        """Redact the free texts of an encoded event, in case whoever made it did not."""
        if not self.occur_in(body):
            return body
        return msgspec.json.encode(self._scrubbed(msgspec.json.decode(body), free=False))

    def scrub_event(self, event: Event) -> Event:
        """Redact the free texts of an event before anybody is shown it."""
        if not self._needles:
            return event
        body = encoded(event)
        if not self.occur_in(body):
            return event
        return msgspec.json.decode(self.scrub(body), type=type(event))

    def _scrubbed(self, value: Json, *, free: bool) -> Json:
        match value:
            case str():
                return self.redact(value) if free else value
            case list():
                return [self._scrubbed(item, free=free) for item in value]
            case dict():
                return {
                    key: self._scrubbed(item, free=key in FREE_TEXT) for key, item in value.items()
                }
            case _:
                return value

    def _text_of(self, reference: str) -> str:
        text = self._texts.get(reference)
        if text is None:
            name, _, form = reference.partition("|")
            known = self._texts.get(name, "")
            text = dict(_forms(known)).get(f"|{form}" if form else "") if known else None
        if text is None:
            name = reference.partition("|")[0]
            raise UsageError(
                f"A recorded value holds the secret {name}, which is not set.",
                f"Set the environment variable {name} and try again.",
            )
        return text

    def _replace(self, text: str, by: Callable[[str], str]) -> str:
        if not any(form in text for form in self._forms):
            return text
        return _substituted(text, self._forms, by)


def _forms(value: str) -> Iterable[tuple[str, str]]:
    """Yield each way in which the secret is looked for: a suffix of its reference, and the text."""
    yield "", value
    yield "|escaped", msgspec.json.encode(value)[1:-1].decode()
    yield "|ascii", _escaped_to_ascii(value)
    if len(value) < MIN_ENCODED:
        return
    from urllib.parse import quote, quote_plus

    quoted = quote(value, safe="")
    yield "|url", quoted
    yield "|url-lower", _lower_escapes(quoted)
    yield "|url-plus", quote_plus(value)
    yield "|url-path", quote(value)
    for number, safe in enumerate(URL_SAFE):
        yield f"|url-{number}", quote(value, safe=safe)
    data = value.encode("utf-8", "surrogateescape")
    yield "|hex", data.hex()
    yield "|HEX", data.hex().upper()
    from base64 import b64encode

    for shift in range(3):
        # The characters that the bytes before and after have no part in.
        inner = b64encode(bytes(shift) + data)[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
        yield f"|base64-{shift}", inner.decode()
        yield f"|base64url-{shift}", inner.translate(bytes.maketrans(b"+/", b"-_")).decode()


def _escaped_to_ascii(value: str) -> str:
    """Return the text as most writers of JSON put it: nothing but ASCII."""
    import json

    return json.dumps(value)[1:-1]


def _lower_escapes(quoted: str) -> str:
    head, *parts = quoted.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts)


def _replaced(text: str, texts: Mapping[str, str]) -> str:
    if not any(mark in text for mark in texts):
        return text
    return _substituted(text, texts, lambda mark: texts[mark])


def _substituted(text: str, finds: Iterable[str], by: Callable[[str], str]) -> str:
    """Replace in one pass, so that nothing is replaced within what was put in."""
    import re

    pattern = "|".join(re.escape(find) for find in sorted(finds, key=len, reverse=True))
    return re.sub(pattern, lambda match: by(match[0]), text)


def _mapped(
    value: Json, of_text: Callable[[str], Json], of_number: Callable[[float], Json]
) -> Json:
    """Return the value with every string, key and number replaced by its image."""
    match value:
        case str():
            return of_text(value)
        case bool() | None:
            return value
        case int() | float():
            return of_number(value)
        case list():
            return [_mapped(item, of_text, of_number) for item in value]
        case dict():
            found: dict[str, Any] = {
                of_text(key): _mapped(item, of_text, of_number) for key, item in value.items()
            }
            return found
        case _:
            raise AssertionError(f"not JSON: {type(value).__name__}")

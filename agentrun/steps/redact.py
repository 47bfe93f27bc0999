"""Keeps the values of secrets out of what is written and shown.

Owns in which guises a secret is recognised: as it is, base64 (any alignment, both alphabets),
hexadecimal, URL-encoded, JSON-escaped, quoted for a shell, and each longer line of a secret of
several lines. Each becomes `[secret:NAME]`. Refuses to know where texts come from.

Values shorter than 4 characters can't be told from ordinary text: they are replaced only where a
whole value equals them, and named in `too_short`, so that somebody can be warned.
"""

import json
import re
from collections.abc import Iterator, Mapping

from agentrun.core.model import Json

MIN_CHARS = 4
MIN_LINE_CHARS = 8
MIN_BASE64_CHARS = 6
URL_SAFE = ("!'()*", "!$&'()*+,/:;=?@", "!#$&'()*+,/:;=?@[]")
"""What URL encoders leave as it is: a part of a query, a path as clients send it, a whole URL."""
START_BYTES = 4
"""How much of a guise is looked up at once; no guise is shorter."""


class Redactor:
    """Replaces the given secrets, name to value. Without any it costs nothing."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.too_short = tuple(n for n, value in secrets.items() if 0 < len(value) < MIN_CHARS)
        self._whole = {secrets[name]: _placeholder(name) for name in self.too_short}
        guises: dict[bytes, bytes] = {}
        for name, value in secrets.items():
            if len(value) >= MIN_CHARS:
                for guise in _guises(value):
                    guises.setdefault(guise, _placeholder(name).encode())
        self._guises = guises
        # the longest first: a secret that begins with another one is replaced whole
        ordered = sorted(guises, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, ordered))) if ordered else None
        self.longest = len(ordered[0]) if ordered else 0
        self._short_starts = {guise[:n] for guise in guises for n in range(1, START_BYTES)}
        self._by_start: dict[bytes, list[bytes]] = {}
        for guise in guises:
            self._by_start.setdefault(guise[:START_BYTES], []).append(guise)

    def __bool__(self) -> bool:
        return bool(self._guises or self._whole)

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        if text in self._whole:
            return self._whole[text]
        if self._pattern is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        clean = self.data(data)
        return text if clean is data else clean.decode("utf-8", "surrogatepass")

    def value(self, value: Json) -> Json:
        """Return the JSON value with every string in it (keys too) without secrets."""
        if not self:
            return value
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {self.text(key): self.value(item) for key, item in value.items()}
            case _:
                return value

    def data(self, data: bytes) -> bytes:
        """Return the bytes without secrets; the very same object when it holds none."""
        if self._pattern is None or not self._holds_secret(data):
            return data
        return self._pattern.sub(lambda found: self._guises[found[0]], data)

    def stream(self) -> "RedactedStream":
        """Return what redacts a stream that arrives in pieces."""
        return RedactedStream(self)

    def split(self, data: bytes) -> int:
        """Return from where on `data` must wait for more: a secret may have begun there."""
        at = self._possible_start(data, max(0, len(data) - self.longest + 1))
        if self._pattern is None or at == len(data) or not self._holds_secret(data):
            return at
        for found in self._pattern.finditer(data):
            if found.start() >= at:
                break
            if found.end() > at:  # a whole secret lies across: it goes, and we look behind it
                at = self._possible_start(data, found.end())
        return at

    def _possible_start(self, data: bytes, begin: int) -> int:
        for at in range(begin, len(data)):
            rest = data[at:]
            if len(rest) < START_BYTES:
                if rest in self._short_starts:
                    return at
                continue
            for guise in self._by_start.get(rest[:START_BYTES], ()):
                if len(guise) > len(rest) and guise.startswith(rest):
                    return at
        return len(data)

    def _holds_secret(self, data: bytes) -> bool:
        # `in` runs at memory speed, the alternation of a pattern does not
        return any(guise in data for guise in self._guises)

    def cut_off(self, data: bytes) -> bytes:
        """Return what may be shown of an end that was held back and never completed.

        The better half of a secret is a secret.
        """
        clean = self.data(data)
        for at in range(len(clean)):
            rest = clean[at:]
            for guise, name in self._guises.items():
                if guise.startswith(rest) and 2 * len(rest) >= len(guise):
                    return clean[:at] + name
        return clean


class RedactedStream:
    """Redacts across the borders of pieces, holding back no more than what may become a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown of all that has come so far and was not shown yet."""
        if not self._redactor.longest:
            return data
        data = self._held + data
        at = self._redactor.split(data)
        self._held = data[at:]
        return self._redactor.data(data[:at])

    def pending(self) -> bytes:
        """Return what is held back, as it would be shown if nothing more came."""
        return self._redactor.cut_off(self._held) if self._held else b""

    def flush(self) -> bytes:
        """Return the rest; nothing more comes."""
        rest = self.pending()
        self._held = b""
        return rest


def _placeholder(name: str) -> str:
    return f"[secret:{name}]"


def _guises(value: str) -> Iterator[bytes]:
    yield from _encoded(value)
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        for line in lines:
            if len(line) >= MIN_LINE_CHARS:
                yield from _encoded(line)


def _encoded(value: str) -> Iterator[bytes]:
    data = value.encode("utf-8", "surrogateescape")
    yield data
    yield from _in_base64(data)
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for text in _escaped(data.decode("utf-8", "replace")):
        yield text.encode()


def _escaped(value: str) -> Iterator[str]:
    from urllib.parse import quote, quote_plus

    by_safe = (quote(value, safe=safe) for safe in ("", "/", *URL_SAFE))
    for text in (*by_safe, quote_plus(value)):
        yield text
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), text)
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]  # JSON inside JSON
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")


def _in_base64(data: bytes) -> Iterator[bytes]:
    """Yield the characters that stand for these bytes whatever surrounds them."""
    from base64 import b64encode, urlsafe_b64encode  # with their modules 2 ms, for secrets alone

    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            core = encode(b"\0" * before + data)[first:last]
            if len(core) >= MIN_BASE64_CHARS:
                yield core

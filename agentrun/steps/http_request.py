"""Makes the request of an `http` step, and says what its answer means.

Owns what a request may do: http and https only, few redirects, a limit on size after decompression.
Refuses to retry: a refused connection or a 503 is evidence for the runner.

One client per event loop keeps connections (and the 20 ms that a TLS context costs) across steps,
but no cookies: a step must not depend on what ran before it. Proxies and certificates come from
the environment of agentrun (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`), as with curl. There is no
limit on the whole time, since the step's `timeout` is that; five minutes of silence end it.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from weakref import WeakKeyDictionary

import httpx2

from agentrun import __version__
from agentrun.core.failure import Evidence
from agentrun.core.model import Json
from agentrun.core.outcome import Success
from agentrun.steps.http import MAX_BYTES, MAX_REDIRECTS
from agentrun.steps.kind import StepContext
from agentrun.steps.output import BadOutput, parse_json
from agentrun.steps.raised import causes_of, evidence_of
from agentrun.steps.status_codes import is_expected

CONNECT_TIMEOUT_S = 30.0
SILENCE_TIMEOUT_S = 300.0
FAILED_BODY_BYTES = 256 * 1024
TEXT_CHARS = 16 * 1024
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAY_CROSS = frozenset(
    # what may follow a redirect to another origin; keys and cookies may not, whatever their name
    {"accept", "accept-encoding", "accept-language", "content-type", "content-length", "host"}
    | {"user-agent", "transfer-encoding"}
)

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient]" = WeakKeyDictionary()


async def perform(ctx: StepContext) -> Success | Evidence:
    """Make the request; whatever goes wrong on the way is evidence."""
    what = f"{ctx.spec.get('method') or 'GET'} {str(ctx.spec['url']).partition('?')[0]}"
    try:
        is_expected(200, ctx.spec.get("expect"))
        return await _exchange(ctx, what)
    except BadOutput as error:
        outcome = evidence_of(error, "http", f"{what}: {error.message}")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, TypeError) as error:
        told = dict.fromkeys(
            text for e in (error, *causes_of(error, hidden=True)) if (text := _told(e))
        )
        outcome = evidence_of(error, "http", f"{what}: {': '.join(told) or _name(error)}")
    ctx.log.write(f"{outcome.text}\n".encode("utf-8", "replace"))
    return outcome


def _name(error: BaseException) -> str:
    return type(error).__name__


def _told(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and number > 0:  # a resolver's are negative and have words of their own
        return f"{os.strerror(number)} ({error.args[-1]})"
    text = str(error)
    return "" if text == "All connection attempts failed" else text


async def _exchange(ctx: StepContext, what: str) -> Success | Evidence:
    client = _client()
    request = _request(client, ctx)
    limit = int(ctx.spec.get("max_redirects", MAX_REDIRECTS))
    for _ in range(limit + 1):
        response = await client.send(request, stream=True)
        try:
            following = _redirect(response, ctx.spec.get("expect"))
            if following is None or limit == 0:
                return await _judge(response, ctx, what)
        finally:
            await response.aclose()
        request = following
    raise httpx2.TooManyRedirects(f"gave up after {limit} redirects (`max_redirects`)")


def _client() -> httpx2.AsyncClient:
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = httpx2.AsyncClient(
            headers={"User-Agent": f"agentrun/{__version__}", "Accept-Encoding": "gzip, deflate"},
            timeout=httpx2.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        )
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


# -- the request ---------------------------------------------------------------------------------


def _request(client: httpx2.AsyncClient, ctx: StepContext) -> httpx2.Request:
    spec = ctx.spec
    headers = {name: _header(name, value) for name, value in (spec.get("headers") or {}).items()}
    given = {name.lower() for name in headers}
    method = str(spec.get("method") or "GET").upper()
    content, content_type = _content(spec)
    if content_type and "content-type" not in given:
        headers["Content-Type"] = content_type
    if method not in _SAFE_METHODS and ctx.idempotency_key and "idempotency-key" not in given:
        headers["Idempotency-Key"] = ctx.idempotency_key
    params = {
        name: value for name, value in (spec.get("params") or {}).items() if value is not None
    }
    url = httpx2.URL(str(spec["url"]))
    _check(url)
    if params:
        url = url.copy_merge_params(params)
    return client.build_request(method, url, content=content, headers=headers)


def _header(name: str, value: Json) -> str:
    text = str(value)
    if any(character in text or character in name for character in "\r\n\0"):
        raise ValueError(f"the header {name!r} holds a line break or a zero character")
    return text


def _content(spec: Mapping[str, Json]) -> tuple[bytes | None, str | None]:
    if spec.get("json") is not None:
        if spec.get("body") is not None:
            raise ValueError("`json` and `body` exclude each other")
        text = json.dumps(spec["json"], ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "surrogatepass"), "application/json"
    body = spec.get("body")
    return (None if body is None else str(body).encode("utf-8", "surrogateescape")), None


def _check(url: httpx2.URL) -> None:
    if url.scheme not in ("http", "https"):
        raise httpx2.UnsupportedProtocol(f"{url.scheme or 'no'}:// is refused: http and https only")
    if not url.host or re.search(r"[\s%]", url.host):
        raise httpx2.InvalidURL("the URL names no host" if not url.host else "bad host name")
    if url.port is not None and not 0 < url.port < 65536:
        raise httpx2.InvalidURL(f"the port {url.port} is out of range")


def _redirect(response: httpx2.Response, expect: Json) -> httpx2.Request | None:
    """Return the request that follows, or None when this answer is the one to judge."""
    if response.status_code not in _REDIRECTS or "location" not in response.headers:
        return None
    if expect is not None and is_expected(response.status_code, expect):
        return None
    following = response.next_request
    if following is None:
        raise httpx2.UnsupportedProtocol("the redirect leads to something that is no http URL")
    _check(following.url)
    if not _same_origin(response.request.url, following.url):
        for name in [name for name in following.headers if name.lower() not in _MAY_CROSS]:
            del following.headers[name]
    return following


def _same_origin(old: httpx2.URL, new: httpx2.URL) -> bool:
    is_upgrade = old.host == new.host and old.port is None and new.port is None
    return old.origin == new.origin or (is_upgrade and new.scheme == "https")


# -- the answer ----------------------------------------------------------------------------------


async def _judge(response: httpx2.Response, ctx: StepContext, what: str) -> Success | Evidence:
    status = response.status_code
    first_line = f"{what}: {status} {response.reason_phrase}".rstrip()
    headers = {name: ", ".join(response.headers.get_list(name)) for name in response.headers}
    if not is_expected(status, ctx.spec.get("expect")):
        text = _decoded(await _beginning(response, ctx), response)
        told = f"{first_line}\n{_head_and_tail(text)}".rstrip()
        ctx.log.write(f"{told}\n".encode("utf-8", "replace"))
        return Evidence(channel="http", status=status, headers=headers, text=told)
    body = await _whole(response, ctx)
    ctx.log.write(f"{first_line}, {len(body):,} bytes\n".encode("utf-8", "replace"))
    output = _output(body, response, as_text=ctx.output.form == "lines")
    return Success(output=output, extra=(("status", status), ("headers", headers)))


async def _pieces(response: httpx2.Response, ctx: StepContext) -> AsyncIterator[bytes]:
    # one step of decompression multiplies by at most 1,032; two would fill the memory at once
    if "," in response.headers.get("content-encoding", ""):
        raise BadOutput("the body is compressed more than once")
    async for piece in response.aiter_bytes():
        ctx.log.write(b"")  # a sign of life
        yield piece


async def _whole(response: httpx2.Response, ctx: StepContext) -> bytes:
    limit = int(ctx.spec.get("max_bytes") or MAX_BYTES)
    body = bytearray()
    async for piece in _pieces(response, ctx):
        body += piece
        if len(body) > limit:
            raise BadOutput(f"the body is larger than {limit:,} bytes (`max_bytes`)")
    return bytes(body)


async def _beginning(response: httpx2.Response, ctx: StepContext) -> bytes:
    body = bytearray()
    async for piece in _pieces(response, ctx):
        body += piece
        if len(body) >= FAILED_BODY_BYTES:
            break
    return bytes(body[:FAILED_BODY_BYTES])


def _output(body: bytes, response: httpx2.Response, *, as_text: bool) -> Json:
    text = _decoded(body, response)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    if not is_json or as_text:
        return text
    if not text.strip():
        return None
    try:
        return parse_json(text)
    except BadOutput:
        return text  # the step's `output` decides whether that is good enough


def _decoded(body: bytes, response: httpx2.Response) -> str:
    try:
        return body.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _head_and_tail(text: str) -> str:
    if len(text) <= TEXT_CHARS:
        return text
    half = TEXT_CHARS // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


async def close_client() -> None:
    """Close the connections of this loop; for whoever ends the loop and wants them gone at once."""
    client: Any = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()

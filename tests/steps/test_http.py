"""Requests and their answers, against a real server."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from agentrun.core.failure import Evidence
from agentrun.core.model import OutputSpec
from agentrun.core.outcome import Success
from agentrun.steps.http import KIND
from agentrun.steps.http_request import close_client
from agentrun.steps.log import FileLog
from agentrun.steps.status_codes import is_expected

pytestmark = pytest.mark.anyio


@pytest.fixture
async def send(make_ctx: Any, httpserver: HTTPServer) -> Any:
    """Perform a request to a path of the server, or to a whole URL."""

    async def perform(url: str, **spec: Any) -> Success | Evidence:
        whole = url if "://" in url else httpserver.url_for(url)
        return await KIND.execute(make_ctx(url=whole, **spec))

    yield perform
    await close_client()


@pytest.fixture
def elsewhere() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as server:
        yield server


def echo(request: Request) -> Response:
    told = {
        "method": request.method,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "query": request.query_string.decode(),
        "body": request.get_data().decode(),
    }
    return Response(json.dumps(told), content_type="application/json; charset=utf-8")


def output(outcome: Success | Evidence) -> Any:
    assert isinstance(outcome, Success), outcome
    return outcome.output


def evidence(outcome: Success | Evidence) -> Evidence:
    assert isinstance(outcome, Evidence), outcome
    return outcome


async def test_a_json_body_is_parsed(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_json({"a": [1]})
    outcome = await send("/")
    assert output(outcome) == {"a": [1]}
    extra = dict(outcome.extra)
    assert extra["status"] == 200
    assert extra["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("plain é", "text/plain; charset=utf-8", "plain é"),
        ('{"a": 1}', "text/plain", '{"a": 1}'),
        ('{"a": 1}', "application/problem+json", {"a": 1}),
        ("not json", "application/json", "not json"),
        ("", "application/json", None),
        ("", "text/plain", ""),
    ],
)
async def test_bodies(
    send: Any, httpserver: HTTPServer, body: str, content_type: str, expected: Any
) -> None:
    httpserver.expect_request("/").respond_with_data(body, content_type=content_type)
    assert output(await send("/")) == expected


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [(b"\xe9", "latin-1", "é"), (b"\xff", "utf-8", "\ufffd"), (b"a", "no-such-charset", "a")],
)
async def test_charsets(
    send: Any, httpserver: HTTPServer, data: bytes, charset: str, text: str
) -> None:
    httpserver.expect_request("/").respond_with_data(
        data, content_type=f"text/plain; charset={charset}"
    )
    assert output(await send("/")) == text


async def test_json_stays_text_where_lines_are_asked_for(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("{}\n", content_type="application/json")
    assert output(await send("/", output=OutputSpec("lines"))) == "{}\n"


async def test_what_is_sent(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_handler(echo)
    told = output(
        await send(
            "/?z=1",
            method="POST",
            json={"a": "é", "n": 10**30},
            params={"p": ["x y", 2], "none": None, "t": True},
            headers={"X-Number": 3},
            idempotency_key="key-1",
        )
    )
    assert told["method"] == "POST"
    assert json.loads(told["body"]) == {"a": "é", "n": 10**30}
    assert told["query"] == "z=1&p=x+y&p=2&t=true"
    assert told["headers"]["x-number"] == "3"
    assert told["headers"]["content-type"] == "application/json"
    assert told["headers"]["idempotency-key"] == "key-1"
    assert told["headers"]["user-agent"].startswith("agentrun/")


async def test_what_is_not_sent(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_handler(echo)
    told = output(await send("/", idempotency_key="key-1"))
    assert "idempotency-key" not in told["headers"]
    own = {"idempotency-key": "mine", "Content-Type": "text/csv"}
    told = output(await send("/", method="PUT", body="a,é", headers=own, idempotency_key="key-1"))
    assert (told["headers"]["idempotency-key"], told["headers"]["content-type"]) == (
        "mine",
        "text/csv",
    )
    assert told["body"] == "a,é"


async def test_a_failing_status_is_evidence(
    send: Any, httpserver: HTTPServer, log: FileLog
) -> None:
    httpserver.expect_request("/").respond_with_data(
        "slow down", status=429, headers={"Retry-After": "7"}
    )
    found = evidence(await send("/?token=x"))
    assert (found.channel, found.status, found.exception) == ("http", 429, None)
    assert {name.lower(): value for name, value in found.headers.items()}["retry-after"] == "7"
    assert found.text.endswith("/: 429 TOO MANY REQUESTS\nslow down")
    assert "token" not in found.text
    assert "slow down" in log.tail()


async def test_a_long_body_of_a_failure_is_cut(send: Any, httpserver: HTTPServer) -> None:
    body = "beginning" + "x" * 100_000 + "end"
    httpserver.expect_request("/").respond_with_data(body, status=500)
    text = evidence(await send("/")).text
    assert "beginning" in text
    assert text.endswith("end")
    assert len(text) < 20_000


@pytest.mark.parametrize(
    ("status", "expect", "fits"),
    [
        (200, None, True),
        (204, None, True),
        (302, None, False),
        (404, 404, True),
        (404, "404", True),
        (404, [200, 404], True),
        (404, "4xx", True),
        (404, ["2XX", "400-403"], False),
        (403, ["2xx", "400 - 403"], True),
    ],
)
def test_expected_codes(status: int, expect: Any, fits: bool) -> None:
    assert is_expected(status, expect) is fits


@pytest.mark.parametrize("expect", ["foo", "6xx", 99, True, [200, "x"]])
async def test_an_expectation_that_makes_no_sense(send: Any, expect: Any) -> None:
    assert "`expect`" in evidence(await send("/", expect=expect)).text


async def test_redirects_are_followed(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data(status=302, headers={"Location": "/b"})
    httpserver.expect_request("/b").respond_with_handler(echo)
    own = {"X-Api-Key": "k", "Authorization": "Bearer t"}
    told = output(await send("/a", method="POST", body="x", headers=own))
    assert (told["method"], told["body"]) == ("GET", "")
    assert told["headers"]["authorization"] == "Bearer t"


async def test_no_key_follows_to_another_origin(
    send: Any, httpserver: HTTPServer, elsewhere: HTTPServer
) -> None:
    location = {"Location": elsewhere.url_for("/b")}
    httpserver.expect_request("/a").respond_with_data(status=307, headers=location)
    elsewhere.expect_request("/b").respond_with_handler(echo)
    own = {"X-Api-Key": "k", "Authorization": "Bearer t", "Cookie": "c=1", "Accept": "a/b"}
    told = output(await send("/a", method="POST", body="x", headers=own, idempotency_key="i"))
    assert (told["method"], told["body"]) == ("POST", "x")
    assert told["headers"]["accept"] == "a/b"
    assert not {"x-api-key", "authorization", "cookie", "idempotency-key"} & told["headers"].keys()


@pytest.mark.parametrize(
    ("location", "complaint"),
    [
        ("/a", "gave up after 5 redirects"),
        ("file:///etc/passwd", "file:// is refused"),
        ("ftp://127.0.0.1/x", "ftp:// is refused"),
    ],
)
async def test_redirects_that_are_refused(
    send: Any, httpserver: HTTPServer, location: str, complaint: str
) -> None:
    httpserver.expect_request("/a").respond_with_data(status=302, headers={"Location": location})
    found = evidence(await send("/a"))
    assert complaint in found.text
    assert len(httpserver.log) <= 6


async def test_a_redirect_to_nonsense(send: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://host:port/\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    found = evidence(await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert "the redirect leads to something that is no http URL" in found.text
    server.close()


async def test_redirects_can_be_looked_at_instead(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data(status=302, headers={"Location": "/b"})
    assert dict((await send("/a", expect=302)).extra)["headers"]["location"] == "/b"
    assert evidence(await send("/a", max_redirects=0)).status == 302


@pytest.mark.parametrize(
    ("url", "exception"),
    [
        ("ftp://127.0.0.1/", "UnsupportedProtocol"),
        ("file:///etc/passwd", "UnsupportedProtocol"),
        ("http:///path", "InvalidURL"),
        ("http://127.0.0.1:99999/", "InvalidURL"),
        ("http://a b/", "InvalidURL"),
    ],
)
async def test_urls_that_are_refused(send: Any, url: str, exception: str) -> None:
    found = evidence(await send(url))
    assert found.exception is not None
    assert found.exception.endswith(exception)


async def test_a_refused_connection_is_told_as_such(send: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        found = evidence(await send(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    assert found.exception == "httpx2.ConnectError"
    assert "ConnectionRefusedError" in found.causes
    assert "/: Connection refused (Connect call failed" in found.text


async def test_a_server_that_hangs_up(send: Any, httpserver: HTTPServer) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = evidence(await send(f"http://127.0.0.1:{port}/"))
    assert found.exception in ("httpx2.RemoteProtocolError", "httpx2.ReadError")
    server.close()


async def test_a_cancelled_request_ends_at_once(send: Any) -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    task = asyncio.ensure_future(send(f"http://127.0.0.1:{port}/"))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)  # for an answer it would wait longer
    server.close()


async def test_a_body_larger_than_allowed(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("x" * 1001)
    found = evidence(await send("/", max_bytes=1000))
    assert "the body is larger than 1,000 bytes" in found.text
    assert found.exception is not None
    assert found.exception.endswith("BadOutput")
    assert output(await send("/", max_bytes=1001)) == "x" * 1001


async def test_a_compressed_bomb(send: Any, httpserver: HTTPServer) -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    httpserver.expect_request("/").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    assert "larger than 67,108,864 bytes" in evidence(await send("/")).text


async def test_a_bomb_in_a_bomb(send: Any, httpserver: HTTPServer) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 1_000_000))
    httpserver.expect_request("/").respond_with_data(
        bomb, headers={"Content-Encoding": "gzip, gzip"}
    )
    assert "compressed more than once" in evidence(await send("/")).text


async def test_a_body_that_is_not_what_it_says(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data(
        b"plain text", headers={"Content-Encoding": "gzip"}
    )
    assert evidence(await send("/")).exception == "httpx2.DecodingError"


@pytest.mark.parametrize("headers", [{"a": "b\nc: d"}, {"a\r\nb": "c"}, {"a": "é\0"}])
async def test_headers_can_not_be_smuggled(send: Any, headers: dict[str, str]) -> None:
    assert "line break or a zero character" in evidence(await send("/", headers=headers)).text


async def test_json_and_body_exclude_each_other(send: Any) -> None:
    found = evidence(await send("/", method="POST", json=1, body="x"))
    assert "exclude each other" in found.text


async def test_no_cookie_is_kept(send: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/set").respond_with_data(headers={"Set-Cookie": "a=1; Path=/"})
    httpserver.expect_request("/get").respond_with_handler(echo)
    await send("/set")
    assert "cookie" not in output(await send("/get"))["headers"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.example.com/v1?x", "api.example.com"),
        ("http://localhost:8080/", "localhost:8080"),
        ("http://user:pw@host:1/", "host:1"),
        ("${{ inputs.url }}", None),
        ("http://h:port/", None),
    ],
)
def test_the_component_is_the_host(url: str, name: str | None) -> None:
    assert KIND.component({"url": url}) == name

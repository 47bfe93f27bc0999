"""A server whose faults are scripted: each path answers its list in turn, the last for ever.

    {"/x": ["429 retry-after=1", "503", "200 {\"a\": 1}"]}

An answer is a status, headers (`name=value`) and a body, or one of the words of `FAULTS`. The path
`/limited` answers ten calls a second and 429 to all others.
"""

import socket
import struct
import threading
import time
from collections import deque
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("hang", "reset", "drop", "truncate", "garbage", "stall", "chunks", "torn")
LIMIT_PER_S = 10


class Server:
    """One server on a free port, for one scenario."""

    def __init__(self, script: dict[str, list[str]]) -> None:
        self.script = {path: deque(answers) for path, answers in script.items()}
        self.calls = 0
        self.refused = 0
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_GET  # noqa: N815 (the name that http.server asks for)

            def log_message(self, *_args: Any) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._httpd.server_port}"
        threading.Thread(target=self._httpd.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._httpd.shutdown()
        self._httpd.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("content-length") or 0))
        path = handler.path.partition("?")[0]
        with self._lock:
            self.calls += 1
            said = self._limited() if path == "/limited" else self._next(path)
        word = said.split(maxsplit=1)[0]
        if word in FAULTS:
            getattr(self, f"_{word}")(handler)
            handler.close_connection = True
        else:
            _send(handler, said)

    def _next(self, path: str) -> str:
        answers = self.script.get(path)
        if not answers:
            return "404 no such page"
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _limited(self) -> str:
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) < LIMIT_PER_S:
            self._recent.append(now)
            return '200 {"ok": true}'
        self.refused += 1
        return "429 retry-after=1 Too Many Requests"

    def _hang(self, _handler: BaseHTTPRequestHandler) -> None:
        self._stopped.wait(60)

    def _reset(self, handler: BaseHTTPRequestHandler) -> None:
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.connection.close()

    def _drop(self, handler: BaseHTTPRequestHandler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)

    def _truncate(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"a": ')

    def _stall(self, handler: BaseHTTPRequestHandler) -> None:
        self._truncate(handler)
        self._stopped.wait(60)

    def _chunks(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a": \r\n')

    def _torn(self, handler: BaseHTTPRequestHandler) -> None:
        self._truncate(handler)
        self._reset(handler)

    def _garbage(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")


def _send(handler: BaseHTTPRequestHandler, said: str) -> None:
    status, _, rest = said.partition(" ")
    headers = {}
    while rest and "=" in (word := rest.split(maxsplit=1)[0]) and not word.startswith(("{", "[")):
        name, _, value = word.partition("=")
        if value.startswith("date+"):
            value = formatdate(time.time() + int(value[5:]), usegmt=True)
        elif value.startswith("epoch+"):
            value = str(int(time.time()) + int(value[6:]))
        headers[name] = value
        rest = rest[len(word) :].lstrip()
    body = rest.encode()
    handler.send_response(int(status))
    handler.send_header("Content-Type", "application/json" if rest[:1] in "{[" else "text/plain")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)

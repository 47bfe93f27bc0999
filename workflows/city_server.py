"""A small HTTP server with a mood: every fourth answer is a 503 that asks to wait a moment.

It prints its address as JSON and serves until it is killed, at most for ten minutes.
"""

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CITIES = {
    "lagos": ("Lagos", "Nigeria", 15_946_000, 1472),
    "lima": ("Lima", "Peru", 10_320_000, 1535),
    "oslo": ("Oslo", "Norway", 709_000, 1040),
    "osaka": ("Osaka", "Japan", 2_753_000, 645),
    "quito": ("Quito", "Ecuador", 1_763_000, 1534),
    "riga": ("Riga", "Latvia", 605_000, 1201),
    "seoul": ("Seoul", "South Korea", 9_411_000, 18),
    "tunis": ("Tunis", "Tunisia", 638_000, 698),
}
FIELDS = ("name", "country", "population", "founded")
calls = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        city = CITIES.get(self.path.rpartition("/")[2])
        if next(calls) % 4 == 0:
            self._answer(503, {"error": "overloaded, try again"}, {"Retry-After": "0.2"})
        elif city is None:
            self._answer(404, {"error": f"no such city: {self.path}"})
        else:
            self._answer(200, dict(zip(FIELDS, city, strict=True)))

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
        threading.Timer(600, server.shutdown).start()
        server.serve_forever()


if __name__ == "__main__":
    main()

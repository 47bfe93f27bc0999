"""One small step of every kind, in the variants that the matrix of keys needs.

`ok` works at once; `once` fails the first time and works then; `never` fails always; `slow` takes
longer than anyone waits. Each is the part of a step that its kind owns.
"""

import contextlib
import http.server
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.runner.conftest import Desk

Part = dict[str, Any]
Variants = dict[str, Part]

TOOLS = """
    import os, time

    def ok(who="ok"):
        return who

    def once(mark, why="boom"):
        if not os.path.exists(mark):
            open(mark, "w").close()
            raise ConnectionResetError(why)
        return "ok"

    def never():
        raise ValueError("boom")

    def slow():
        time.sleep(30)

    def about(name):
        return os.environ.get(name)

    def folder():
        return os.getcwd()
"""

SUBS = {
    "ok.yaml": "steps: [{id: in, run: echo ok}]",
    "once.yaml": """
        steps:
          - id: in
            run: |
              if test -e sub_mark; then echo ok; else touch sub_mark; exit 9; fi
    """,
    "never.yaml": "steps: [{id: in, run: exit 9}]",
    "slow.yaml": "steps: [{id: in, run: sleep 30}]",
    "env.yaml": 'steps: [{id: in, run: echo "$WHO"}]',
    "cwd.yaml": 'steps: [{id: in, run: basename "$PWD"}]',
    "with.yaml": "{inputs: {who: {type: string, default: x}}, steps: [{id: in, run: 'echo ${{ inputs.who }}'}]}",
}


def agent(script: str) -> Part:
    """Return an agent step whose agent is a shell script."""
    cli = {"command": ["bash", "-c", script], "format": "text", "prompt": "stdin", "name": "fake"}
    return {"agent": {"cli": cli, "prompt": "do it"}}


def variants(server: str) -> dict[str, Variants]:
    """Return every kind's variants; `server` is where the test server listens."""
    once = 'if test -e mark; then echo ok; else touch mark; echo "connection reset by peer" >&2; exit 9; fi'
    return {
        "run": {
            "ok": {"run": "echo ok"},
            "once": {"run": once},
            "never": {"run": "exit 9"},
            "slow": {"run": "sleep 30"},
            "env": {"run": 'echo "$WHO"'},
            "cwd": {"run": 'basename "$PWD"'},
            "stdin": {"run": "cat"},
        },
        "agent": {
            "ok": agent("cat > /dev/null; echo ok"),
            "once": agent(f"cat > /dev/null; {once}"),
            "never": agent("cat > /dev/null; exit 9"),
            "slow": agent("cat > /dev/null; sleep 30"),
            "env": agent('cat > /dev/null; echo "$WHO"'),
            "cwd": agent('cat > /dev/null; basename "$PWD"'),
            "stdin": agent("cat"),
        },
        "python": {
            "ok": {"python": "tools.py:ok"},
            "once": {"python": "tools.py:once", "with": {"mark": "mark"}},
            "never": {"python": "tools.py:never"},
            "slow": {"python": "tools.py:slow"},
            "env": {"python": "tools.py:about", "with": {"name": "WHO"}},
            "cwd": {"python": "tools.py:folder"},
            "with": {"python": "tools.py:ok"},
        },
        "http": {
            "ok": {"http": f"{server}/ok"},
            "once": {"http": f"{server}/once/{uuid.uuid4()}"},
            "never": {"http": f"{server}/never"},
            "slow": {"http": f"{server}/slow"},
        },
        "workflow": {
            "ok": {"workflow": "ok.yaml"},
            "once": {"workflow": "once.yaml"},
            "never": {"workflow": "never.yaml"},
            "slow": {"workflow": "slow.yaml"},
            "env": {"workflow": "env.yaml"},
            "cwd": {"workflow": "cwd.yaml"},
            "with": {"workflow": "with.yaml"},
        },
        "approval": {
            "ok": {"approval": {"message": "Go?", "options": ["ok", "no"]}},
            "never": {"approval": {"message": "Go?", "timeout": "1ms"}},
        },
        "wait": {"ok": {"wait": "1ms"}, "never": {"wait": "${{ 'soon' }}"}},
    }


def prepare(desk: Desk) -> None:
    """Write the files that the steps name."""
    desk.write("tools.py", TOOLS)
    for name, text in SUBS.items():
        desk.write(name, text)
    (desk.folder / "below").mkdir()


class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers by path: `/ok`, `/once/<any>` (503 at first), `/never` (404), `/slow`."""

    def do_GET(self) -> None:
        server: Any = self.server
        _, path, *_ = self.path.split("/")
        if path == "slow":
            time.sleep(3)
        first = self.path not in server.asked
        server.asked.add(self.path)
        bad = {"never": 404, "once": 503 if first else 200}.get(path, 200)
        body = b"ok" if bad == 200 else b"boom"
        with contextlib.suppress(BrokenPipeError):  # whoever asked for `slow` is gone
            self.send_response(bad)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[str]:
    """Yield the address of a small server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.daemon_threads = True
    server.asked = set()  # type: ignore[attr-defined] # what was asked for before
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

"""A secret is printed by steps in every form and channel, and must be found nowhere."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, quote_plus

import pytest

from tests.crash.command import REPO

CANARY = "c4n&ry/Vögel+sing =7f3a9b2e1d"
FORMS = {
    "raw": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 after a byte": base64.b64encode(b"x" + CANARY.encode()).decode()[2:-4],
    "base64 for URLs": base64.urlsafe_b64encode(CANARY.encode()).decode(),
    "URL": quote(CANARY, safe=""),
    "URL, with plus": quote_plus(CANARY),
    "URL, as a client sends it": quote(CANARY, safe="&=+/"),
    "hexadecimal": CANARY.encode().hex(),
    "JSON": json.dumps(CANARY)[1:-1],
}
PRINT = r"""
import base64, json, os, sys, time, urllib.parse
secret = os.environ["CANARY"]
raw = secret.encode()
forms = [secret, base64.b64encode(raw).decode(), base64.b64encode(b"x" + raw).decode(),
         base64.urlsafe_b64encode(raw).decode(), urllib.parse.quote(secret, safe=""),
         urllib.parse.quote_plus(secret), raw.hex(), json.dumps(secret)]
for stream in (sys.stdout, sys.stderr):
    for form in forms:
        for at in range(0, len(form), 3):
            stream.write(form[at:at + 3])
            stream.flush()
            time.sleep(0.001)
        stream.write("\n")
"""
STEPS = """
import os
def tell():
    print("token", os.environ["CANARY"])
    return {"token": os.environ["CANARY"], os.environ["CANARY"]: 1}
def fail():
    raise RuntimeError("refused for " + os.environ["CANARY"])
"""
AGENT = (
    PRINT
    + r"""
sys.stdin.read()
if "--fail" in sys.argv:
    print(json.dumps({"session": "plain", "error": "401 for " + forms[1], "text": secret}))
    sys.exit(1)
"""
)
WORKFLOW = """
secrets: [CANARY]
steps:
  - {id: printed, run: "$PYTHON print.py"}
  - {id: parsed, run: "printf '\\"%s\\"' \\"$CANARY\\"", output: json}
  - {id: listed, for_each: ["${{ env.CANARY }}", b], run: "echo ${{ item }}"}
  - {id: stdin, run: cat, stdin: "${{ env.CANARY }}"}
  - {id: big, run: "for i in $(seq 300); do echo $CANARY; done"}
  - {id: python, python: "steps.py:tell"}
  - {id: worker, python: "steps.py:tell", timeout: 20s}
  - {id: checked, run: "echo $CANARY", checks: ["test -n '' # $CANARY"], continue_on_error: true}
  - {id: raised, python: "steps.py:fail", continue_on_error: true}
  - {id: failed, run: "echo cannot open $CANARY >&2; exit 3", continue_on_error: true}
  - id: http
    http:
      method: POST
      url: "${{ env.SERVER }}/${{ env.CANARY }}?token=${{ env.CANARY }}"
      headers: {Authorization: "Basic ${{ env.CANARY64 }}"}
      json: {token: "${{ env.CANARY }}"}
  - id: http_failed
    http: {method: GET, url: "${{ env.SERVER }}/fail?token=${{ env.CANARY }}"}
    continue_on_error: true
  - id: agent
    env: {KEY: "${{ env.CANARY }}"}
    agent:
      cli: {command: "agent", format: text, prompt: stdin}
      prompt: "use ${{ env.CANARY }}"
  - id: agent_failed
    agent:
      cli: {command: "agent --fail", result: text, session: session, error: error, prompt: stdin}
      prompt: "use ${{ env.CANARY }}"
    continue_on_error: true
  - id: asked
    if: always()
    approval: {message: "publish ${{ env.CANARY }}?", options: [approve, "${{ env.CANARY }}"]}
  - {id: last, if: always(), run: "ps axww -o args; echo ${{ steps.parsed.output }} | wc -c"}
outputs: {last: "${{ steps.last.output }}", parsed: "${{ steps.parsed.output }}"}
"""


def agentrun(folder: Path, *args: str, server: str = "") -> "subprocess.CompletedProcess[bytes]":
    """Run the command with the secret in its environment."""
    env = os.environ | {"CANARY": CANARY, "PYTHON": sys.executable, "PYTHONPATH": str(REPO)}
    env["XDG_CACHE_HOME"] = str(folder / "cache")
    env["PATH"] = f"{folder / 'bin'}:{env['PATH']}"
    env |= {"SERVER": server, "CANARY64": FORMS["base64"]}
    command = [sys.executable, "-m", "agentrun", *args]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)


def succeeded(told: str) -> set[str]:
    """Return the steps that are said to be done."""
    return {words[1] for line in told.splitlines() if (words := line.split())[2:3] == ["done"]}


def found_in(data: bytes) -> list[str]:
    """Return the forms of the secret that stand in the bytes."""
    return [name for name, form in FORMS.items() if form.encode() in data]


def leaks(folder: Path) -> dict[str, list[str]]:
    """Return the files that hold the secret, by name or content, and in which forms."""
    return {
        str(path.relative_to(folder)): forms
        for path in folder.rglob("*")
        if path.is_file() and (forms := found_in(path.read_bytes() + path.name.encode()))
    }


class Echo(BaseHTTPRequestHandler):
    """Says what it was told, in every form, in the body and in a header."""

    def answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        in_text = base64.b64encode(b"x" + CANARY.encode()).decode()
        body = "\n".join([self.path, *FORMS.values(), base64.b64encode(asked).decode()])
        body = body.replace(FORMS["base64 after a byte"], in_text)
        self.send_response(500 if "/fail" in self.path else 200)
        self.send_header("X-Raw", CANARY.encode().decode("latin-1"))
        self.send_header("X-Base64", FORMS["base64"])
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = answer  # noqa: N815 - the names are those of http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.slow
def test_a_secret_is_found_nowhere(tmp_path: Path, server: str) -> None:
    """Nowhere on disk, in events, on the screen or in `ps`. The result alone holds it: it is what
    the person asked for.
    """
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "print.py").write_text(PRINT)
    (tmp_path / "bin").mkdir()
    agent = tmp_path / "bin" / "agent"
    agent.write_text(f"#!{sys.executable}\n{AGENT}")
    agent.chmod(0o755)
    events = ("--events", "events.ndjson")
    first = agentrun(
        tmp_path, "run", "workflow.yaml", "--task-id", "canary", *events, server=server
    )
    assert first.returncode == 3, first.stderr.decode()
    assert {"http", "agent"} <= succeeded(first.stderr.decode()), first.stderr.decode()
    assert leaks(tmp_path) == {}, "while it is paused"
    second = agentrun(tmp_path, "resume", "canary", "--answer", "asked=approve", *events)
    assert second.returncode == 0, second.stderr.decode()
    outputs = json.loads(second.stdout)
    assert outputs["parsed"] == CANARY, "the task itself has the value, also after a resume"
    assert not found_in(outputs["last"].encode()), "ps shows it"
    assert leaks(tmp_path) == {}
    said = {
        "run": first.stdout + first.stderr,
        "resume": second.stderr,
        "inspect": agentrun(tmp_path, "inspect", "canary").stdout,
        "inspect --json": agentrun(tmp_path, "inspect", "canary", "--json").stdout,
        "debug": agentrun(tmp_path, "debug", "canary").stdout,
        "logs": agentrun(tmp_path, "logs", "canary").stdout,
        "list": agentrun(tmp_path, "list").stdout,
    }
    assert {name: found_in(text) for name, text in said.items() if found_in(text)} == {}

"""A secret is printed by steps in every form and channel, and must be found nowhere."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
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
  - {id: asked, if: always(), approval: "publish ${{ env.CANARY }}?"}
  - {id: last, if: always(), run: "ps axww -o args; echo ${{ steps.parsed.output }} | wc -c"}
outputs: {last: "${{ steps.last.output }}", parsed: "${{ steps.parsed.output }}"}
"""


def agentrun(folder: Path, *args: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the command with the secret in its environment."""
    env = os.environ | {"CANARY": CANARY, "PYTHON": sys.executable, "PYTHONPATH": str(REPO)}
    env["XDG_CACHE_HOME"] = str(folder / "cache")
    command = [sys.executable, "-m", "agentrun", *args]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)


def found_in(data: bytes) -> list[str]:
    """Return the forms of the secret that stand in the bytes."""
    return [name for name, form in FORMS.items() if form.encode() in data]


@pytest.mark.slow
def test_a_secret_is_found_nowhere(tmp_path: Path) -> None:
    """Nowhere on disk, in events, on the screen or in `ps`. The result alone holds it: it is what
    the person asked for.
    """
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "print.py").write_text(PRINT)
    events = ("--events", "events.ndjson")
    first = agentrun(tmp_path, "run", "workflow.yaml", "--task-id", "canary", *events)
    assert first.returncode == 3, first.stderr.decode()
    second = agentrun(tmp_path, "resume", "canary", "--answer", "asked=approve", *events)
    assert second.returncode == 0, second.stderr.decode()
    outputs = json.loads(second.stdout)
    assert outputs["parsed"] == CANARY, "the task itself has the value, also after a resume"
    assert not found_in(outputs["last"].encode()), "ps shows it"
    leaks = {
        str(path.relative_to(tmp_path)): forms
        for path in tmp_path.rglob("*")
        if path.is_file() and (forms := found_in(path.read_bytes() + path.name.encode()))
    }
    assert not leaks
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

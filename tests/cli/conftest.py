"""A command line in this process: arguments in, exit code and both streams out."""

import io
import json
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agentrun.__main__ import run


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Agentrun = Callable[..., Ran]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Work in an empty folder, with an own cache, in UTC, without the caller's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("AGENTRUN_CHECKPOINTS", "NO_COLOR", "AGENTRUN_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def agentrun(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Agentrun:
    """Run a command line."""

    def call(*args: str, stdin: str | bytes = b"") -> Ran:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capfdbinary.readouterr()
        code = run([str(arg) for arg in args])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return call


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file into the folder."""

    def to(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), "utf-8")
        return path

    return to


HELLO = """
    name: hello
    inputs:
      who: {type: string, default: world}
      times: {type: integer, default: 1}
    steps:
      - id: greet
        run: for _ in $(seq ${{ inputs.times }}); do echo "hello ${{ inputs.who }}"; done
"""

FAILS = """
    name: fails
    steps:
      - id: first
        run: echo fine
      - id: second
        run: echo "about to fail"; test -e fixed
      - id: third
        run: echo "all done"
"""

ASKS = """
    name: asks
    steps:
      - id: decide
        approval: {message: Publish?, options: [publish, discard]}
      - id: act
        run: echo "${{ steps.decide.output }}"
"""

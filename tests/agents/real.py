"""The real CLIs and a model server that speaks their protocols, on this machine alone.

The npm packages are installed once into a folder outside the project: `AGENTRUN_TEST_NPM`, default
`~/.cache/agentrun-tests/npm`. Where they can't be, `missing()` says why.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

PACKAGES = {
    "llmock": "@copilotkit/aimock",
    "claude": "@anthropic-ai/claude-code",
    "codex": "@openai/codex",
    "gemini": "@google/gemini-cli",
    "opencode": "opencode-ai",
}
INSTALL_TIMEOUT_S = 600
GEMINI_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "general": {"maxAttempts": 1, "retryFetchErrors": False},
}
"""What agentrun hands it as defaults; below /tmp, which all may write to, it takes none of them."""
Answer = Mapping[str, Any]


def npm_folder() -> Path:
    default = Path("~/.cache/agentrun-tests/npm").expanduser()
    return Path(os.environ.get("AGENTRUN_TEST_NPM") or default)


def missing(*programs: str) -> str | None:
    """Install what is not there; return why that was not possible, or None."""
    folder = npm_folder()
    bins = folder / "node_modules" / ".bin"
    wanted = [PACKAGES[name] for name in programs if not (bins / name).exists()]
    if not wanted:
        return None
    if shutil.which("npm") is None:
        return f"npm is not installed, so the real {', '.join(programs)} can't be tried"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", *wanted],
        cwd=folder,
        capture_output=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        return f"npm can't install {', '.join(wanted)}: {done.stderr.decode()[-300:]}"
    return None


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the CLIs have a home of their own and no way out."""
    gemini = home / ".gemini"
    gemini.mkdir(parents=True, exist_ok=True)
    (gemini / "settings.json").write_text(json.dumps(GEMINI_SETTINGS))
    kept = {k: v for k, v in os.environ.items() if k in {"LANG", "TMPDIR", "PYTHONPATH"}}
    return {
        **kept,
        "PATH": f"{npm_folder()}/node_modules/.bin:{os.environ['PATH']}",
        "HOME": str(home),
        "ANTHROPIC_API_KEY": "x",
        "OPENAI_API_KEY": "x",
        "GEMINI_API_KEY": "x",
        "DISABLE_TELEMETRY": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        **more,
    }


class ModelServer:
    """A model server with prepared answers; the first whose `userMessage` is in the last message
    of the user is given. Used as a context manager.
    """

    def __init__(self, folder: Path, answers: Sequence[tuple[Answer, Answer]], *flags: str) -> None:
        self._flags = flags
        fixtures = [{"match": match, "response": response} for match, response in answers]
        self._file = folder / "fixtures.json"
        self._file.write_text(json.dumps({"fixtures": fixtures}))
        self._log = folder / "server.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        program = npm_folder() / "node_modules" / ".bin" / "llmock"
        command = [str(program), "-p", str(self.port), "-f", str(self._file), *self._flags]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(200):
            try:
                self.journal()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError(f"the model server did not start: {self._log.read_text()[-500:]}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def journal(self) -> list[dict[str, Any]]:
        """Return every request and what was answered."""
        with urllib.request.urlopen(f"{self.url}/__aimock/journal", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    def calls(self) -> list[dict[str, Any]]:
        """Return the requests to a model."""
        return [entry for entry in self.journal() if entry["method"] == "POST"]

    def chaos(self, **rates: float) -> None:
        """Fail at these rates from now on (`rateLimitRate=0.2`, ...)."""
        self._post("/__aimock/chaos", rates)

    def calm(self) -> None:
        """Fail no more."""
        request = urllib.request.Request(f"{self.url}/__aimock/chaos", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def _post(self, path: str, body: object) -> None:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()

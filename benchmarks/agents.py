"""Real coding agents against a model server that fails: do all steps end, and at what price?

    python benchmarks/agents.py [--cli claude] [--cli codex] [--steps 20] [--json]

Runs a workflow of 20 steps per CLI with 20 % of the model's answers a 429, 10 % a 500, 5 %
malformed and 5 % cut off. Every step must end with the right answer. Reports the model calls
beyond the necessary ones (those a server without failures would have seen), how many of them the
failures themselves made necessary, and the time. Needs node and npm; nothing leaves the machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.agents.real import ModelServer, environment, missing  # noqa: E402 - after the path

CHAOS = {"rateLimitRate": 0.2, "dropRate": 0.1, "malformedRate": 0.05, "disconnectRate": 0.05}
WORKFLOW = """
name: chaos
limits: {{{cli}: {{concurrency: 4}}}}
steps:
  - id: ask
    for_each: {numbers}
    as: number
    max_parallel: 4
    agent:
      cli: {cli}
      base_url: {url}
      prompt: "Question ${{{{ number }}}}?"
    timeout: 60s
    retry: {{max_attempts: 12, delay: 100ms, factor: 1.5, max_delay: 2s}}
"""


def measure(cli: str, steps: int, folder: Path) -> dict[str, Any]:
    numbers = [f"n{number:03}" for number in range(steps)]
    answers = [({"userMessage": f"Question {n}?"}, {"content": f"Answer {n}"}) for n in numbers]
    with ModelServer(folder, answers) as server:
        url = server.url + ("/v1" if cli == "codex" else "")
        workflow = folder / "chaos.yaml"
        workflow.write_text(WORKFLOW.format(cli=cli, url=url, numbers=json.dumps(numbers)))
        server.chaos(**CHAOS)
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "agentrun", "run", str(workflow), "--json"],
            cwd=folder,
            env=environment(folder / "home", PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        calls = server.calls()
    if not done.stdout:
        sys.exit(done.stderr)
    result = json.loads(done.stdout)
    right = result["outputs"] == [f"Answer {number}" for number in numbers]
    failed = sum(not is_good(call) for call in calls)
    return {
        "cli": cli,
        "steps": steps,
        "exit_code": done.returncode,
        "all_right": right,
        "model_calls": len(calls),
        "beyond_the_necessary": len(calls) - steps,
        "failed_by_the_server": failed,
        "beyond_what_failures_cost": len(calls) - steps - failed,
        "retries": result["usage"]["retries"],
        "seconds": round(seconds, 1),
        "error": result["error"],
    }


def is_good(call: dict[str, Any]) -> bool:
    """Tell whether the server answered; malformed answers are 200 and marked as chaos."""
    response = call.get("response") or {}
    return response.get("status") == 200 and not response.get("chaosAction")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cli", action="append", choices=("claude", "codex"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    clis = options.cli or ["claude", "codex"]
    if reason := missing("llmock", *clis):
        sys.exit(reason)
    rows = []
    for cli in clis:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(cli, options.steps, Path(folder)))
    for row in rows:
        print(json.dumps(row) if options.json else told(row))
    return 0 if all(row["exit_code"] == 0 and row["all_right"] for row in rows) else 1


def told(row: dict[str, Any]) -> str:
    ending = f"exit {row['exit_code']}, outputs {'all right' if row['all_right'] else 'WRONG'}"
    return (
        f"{row['cli']}: {row['steps']} steps, {ending}, {row['seconds']} s\n"
        f"  {row['model_calls']} model calls: {row['steps']} necessary,"
        f" {row['failed_by_the_server']} failed by the server,"
        f" {row['beyond_what_failures_cost']} beyond both"
    )


if __name__ == "__main__":
    sys.exit(main())

"""The real command in a folder of its own, killed and resumed, and an oracle outside of it.

Steps leave their marks in the file `effects`: one line `<run> <step>` each time that they run. Each
run writes its `--events` to a file of its own, and an event is written there only after it is
durable. So: a step that stands as succeeded in the events of one run must leave no mark in a later
one. That, and the outputs of an undisturbed run, is all that is compared.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

TASK = "killed"
REPO = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0

WORKFLOW = r"""
name: killed
env: {MARK: 'echo "$RUN $AGENTRUN_STEP" >> "$EFFECTS"'}
steps:
  - {id: first, run: 'eval "$MARK"; echo one'}
  - id: each
    for_each: [a, b, c]
    max_parallel: 2
    run: 'eval "$MARK"; echo "${{ item }}-${{ steps.first.output }}"'
  - id: flaky
    needs: [first]
    retry: {max_attempts: 3, delay: 50ms}
    run: |
      eval "$MARK"
      test -e "$AGENTRUN_STATE_DIR/tried" || { touch "$AGENTRUN_STATE_DIR/tried"; exit 7; }
      echo cured
  - {id: big, needs: [first], run: 'eval "$MARK"; head -c 9000 /dev/zero | tr "\0" x'}
  - {id: pause, needs: [each], wait: 20ms}
  - {id: last, run: 'eval "$MARK"; echo "${{ steps.flaky.output }} ${{ steps.each.output[2] }}"'}
outputs: {each: "${{ steps.each.output }}", last: "${{ steps.last.output }}", big: "${{ steps.big.output }}"}
"""


class Folder:
    """A folder with a workflow, its checkpoints, and what its steps did."""

    def __init__(self, path: Path, workflow: str = WORKFLOW) -> None:
        self.path = path
        self.root = path / "checkpoints"
        self.task = self.root / TASK
        self.effects = path / "effects"
        self.runs = 0
        path.mkdir(exist_ok=True)
        (path / "workflow.yaml").write_text(workflow)

    def env(self) -> dict[str, str]:
        """Return the environment of the next run."""
        return os.environ | {
            "RUN": str(self.runs),
            "EFFECTS": str(self.effects),
            "PYTHONPATH": str(REPO),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": str(self.path / "cache"),
        }

    def arguments(self, *more: str, kill_at: int | None = None) -> list[str]:
        """Return the command that starts the task, or goes on with it."""
        program = ["agentrun"] if kill_at is None else ["tests.crash.killer", str(kill_at)]
        events = str(self.path / f"events-{self.runs}")
        start = ["run", "workflow.yaml", "--task-id", TASK]
        go_on = ["resume", TASK]
        chosen = go_on if self.task.exists() else start
        return [sys.executable, "-m", *program, *chosen, "--json", "--events", events, *more]

    def start(
        self, *more: str, before: Sequence[str] = (), kill_at: int | None = None, **popen: object
    ) -> "subprocess.Popen[str]":
        """Start the next run; `before` is put in front of the command."""
        command = [*before, *self.arguments(*more, kill_at=kill_at)]
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **popen,  # type: ignore[call-overload]
        )
        self.runs += 1
        return process  # type: ignore[no-any-return]

    def run(
        self, *more: str, before: Sequence[str] = (), kill_at: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Start the next run and wait for its end."""
        process = self.start(*more, before=before, kill_at=kill_at)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def finish(self, most: int = 12) -> dict[str, object]:
        """Resume until the task has succeeded; return its outputs."""
        for _ in range(most):
            done = self.run()
            assert "Traceback" not in done.stderr, done.stderr
            if done.returncode == 0:
                outputs: dict[str, object] = json.loads(done.stdout)["outputs"]
                return outputs
        raise AssertionError(f"it does not end: {done.returncode} {done.stderr}")

    def marks(self) -> list[tuple[int, str]]:
        """Return which run performed which step, in order."""
        if not self.effects.exists():
            return []
        pairs = [line.split() for line in self.effects.read_text().splitlines()]
        return [(int(number), step) for number, step in pairs]

    def succeeded(self) -> dict[str, int]:
        """Return, for each step that the world was told has succeeded, the run that told it."""
        found: dict[str, int] = {}
        for number in range(self.runs):
            path = self.path / f"events-{number}"
            for line in path.read_bytes().splitlines() if path.exists() else ():
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # the process was killed while it wrote this line
                if event["type"] == "step_succeeded":
                    found.setdefault(event["step"], number)
        return found

    def check(self) -> None:
        """Nothing that was told to have succeeded was done again."""
        told = self.succeeded()
        again = [(run, step) for run, step in self.marks() if run > told.get(step, run)]
        assert not again, f"done again though it had succeeded: {again}"

    def times(self) -> Counter[str]:
        """Return how often each step was performed."""
        return Counter(step for _, step in self.marks())


def wait_for(holds: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    """Wait until it holds."""
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.005)


def end_group(process: "subprocess.Popen[str]") -> None:
    """Kill the process that was started; what it has started is its own business."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIMEOUT_S)

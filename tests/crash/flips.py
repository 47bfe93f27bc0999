"""Every byte of every file of a small task is damaged, and the task is resumed by the real command.

Two endings are right: it was repaired and ends with the right outputs, nothing done twice; or it is
refused with exit code 4 and a message that names a file. `python -m tests.crash.flips` does it for
every byte; `--step N` for every N-th, `--big N` for a task whose largest value has N bytes.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from agentrun.__main__ import run

WORKFLOW = """
steps:
  - {id: one, python: "steps.py:one"}
  - {id: big, python: "steps.py:big", with: {size: SIZE}}
  - {id: ok, approval: "go on?"}
  - {id: last, python: "steps.py:last", with: {one: "${{ steps.one.output }}"}}
outputs: {one: "${{ steps.one.output }}", big: "${{ steps.big.output }}", last: "${{ steps.last.output }}"}
"""
STEPS = """
def mark(name):
    with open("effects", "a") as file:
        file.write(name + "\\n")

def one():
    mark("one")
    return "1"

def big(size):
    mark("big")
    return "x" * size

def last(one):
    mark("last")
    return one + "2"
"""
BIG_BYTES = 6000
"""A value of this size is kept in `blobs/`, with a second copy."""
LARGE_BYTES = 70_000
"""One of this size stands once."""
RESUME = ["resume", "flipped", "--answer", "ok=approve", "--json"]
UNPROVEN = ("lock",)
"""What stands in the lock file is for people; nothing depends on it."""


class Wrong(AssertionError):
    """A damage was neither repaired nor refused."""


class Task:
    """A paused task in the current folder, put back before each damage."""

    def __init__(self, folder: Path, big: int = BIG_BYTES) -> None:
        self._expected = {"one": "1", "big": "x" * big, "last": "12"}
        (folder / "workflow.yaml").write_text(WORKFLOW.replace("SIZE", str(big)))
        (folder / "steps.py").write_text(STEPS)
        self._task, self._sound = folder / "checkpoints" / "flipped", folder / "sound"
        self._effects = folder / "effects"
        code, _, err = agentrun(["run", "workflow.yaml", "--task-id", "flipped"])
        assert code == 3, err
        shutil.copytree(self._task, self._sound)

    def files(self) -> dict[str, int]:
        """Return the files whose content matters, and their sizes."""
        found = (path for path in sorted(self._sound.rglob("*")) if path.is_file())
        sizes = {str(path.relative_to(self._sound)): path.stat().st_size for path in found}
        return {name: size for name, size in sizes.items() if name not in UNPROVEN and size}

    def damaged(self, name: str, change: Callable[[bytes], bytes | None]) -> str:
        """Damage a file and resume; return `right` or `refused`. Raises Wrong."""
        shutil.rmtree(self._task)
        shutil.copytree(self._sound, self._task)
        self._effects.write_text("one\nbig\n")
        path = self._task / name
        data = change(path.read_bytes())
        path.unlink() if data is None else path.write_bytes(data)
        code, out, err = agentrun(RESUME)
        marks = Counter(self._effects.read_text().split())
        if marks["one"] != 1 or marks["big"] != 1 or marks["last"] > 1:
            raise Wrong(f"done twice: {marks}")
        if code == 4 and "flipped" in err and "Traceback" not in err:
            return "refused"
        if code == 0 and json.loads(out)["outputs"] == self._expected:
            return "right"
        raise Wrong(f"exit code {code}: {err[-300:]} {out[-300:]}")


def agentrun(args: list[str]) -> tuple[int, str, str]:
    """Run the command in this process; return its exit code, stdout and stderr."""
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(args)
        except SystemExit as end:
            code = int(end.code or 0)
    told = [stream.detach().getvalue().decode() for stream in (out, err)]
    return code, told[0], told[1]


def flipped(offset: int) -> Callable[[bytes], bytes]:
    """Return a change that flips one bit of the byte at `offset`."""
    bit = 1 << (offset * 5 % 8)

    def flip(data: bytes) -> bytes:
        return data[:offset] + bytes([data[offset] ^ bit]) + data[offset + 1 :]

    return flip


def flips(task: Task, step: int, start: int = 0) -> Iterator[tuple[str, str]]:
    """Flip a bit in every `step`-th byte of every file; yield the file and the verdict."""
    for name, size in task.files().items():
        for offset in range(start, size, step):
            try:
                yield name, task.damaged(name, flipped(offset))
            except Wrong as wrong:
                raise Wrong(f"{name}, byte {offset}: {wrong}") from None


def counted(step: int, start: int, big: int) -> Counter[tuple[str, str]]:
    """Flip in a task of this process's own; return how often each kind of file had which verdict."""
    verdicts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, verdict in flips(Task(Path(folder), big), step, start):
            verdicts[name.partition("/")[0], verdict] += 1
        os.chdir("/")
    return verdicts


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.flips", description=__doc__)
    parser.add_argument("--step", type=int, default=1, help="damage every N-th byte")
    parser.add_argument("--big", type=int, default=BIG_BYTES, help="size of the largest value")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    verdicts: Counter[tuple[str, str]] = Counter()
    step = asked.step * asked.workers
    with ProcessPoolExecutor(asked.workers) as pool:
        starts = range(0, step, asked.step)
        for some in pool.map(partial(counted, step, big=asked.big), starts):
            verdicts += some
    for (kind, verdict), number in sorted(verdicts.items()):
        sys.stdout.write(f"{kind:22} {verdict:8} {number}\n")
    right = sum(number for (_, verdict), number in verdicts.items() if verdict == "right")
    whole = verdicts.total()
    sys.stdout.write(f"{whole} bytes, none silent; {right / whole:.1%} repaired\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

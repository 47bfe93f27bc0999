"""Takes safeguards out of a copy of agentrun; the simulation has to notice each of them.

`python -m tests.simulation.mutants` tries all. That every guard of the store is held by one of the
store's own tests is shown by tests/store/test_mutations.py; here it is the oracle of the simulation
that is put to the test, the runner's order of things included. One of the mutants is a machine
whose syncs do nothing at all, which is what `eatmydata` makes of a real one.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SCHEDULES = 800
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Mutant:
    """A piece of a file, and what stands there instead. An empty `path`: nothing is changed."""

    name: str
    path: str
    piece: str
    instead: str


DISK, JOURNAL = "agentrun/store/disk.py", "agentrun/store/journal.py"
LOOP, STATE = "agentrun/runner/loop.py", "agentrun/core/state.py"
UNCHANGED = Mutant("nothing is changed", "", "", "")
MUTANTS = (
    Mutant(
        "no sync does anything",
        "tests/store/faulty_disk.py",
        "            self._enter(kind)\n        except OSError:",
        "            self._enter(kind)\n            return\n        except OSError:",
    ),
    Mutant("files are not synced", DISK, "self._system.fdatasync(self.fd)", "pass"),
    Mutant("folders are not synced", DISK, "self.system.fsync(fd)", "pass"),
    Mutant("short writes end there", DISK, "while done < len(data):", "while False:"),
    Mutant("the journal is not synced", JOURNAL, "self._journal.sync()\n", "pass\n"),
    Mutant(
        "blobs are not synced",
        "agentrun/store/values.py",
        "self._disk.sync_folder(self._folder)",
        "pass",
    ),
    Mutant(
        "anybody gets the lock", "agentrun/store/lock.py", "if not disk.lock(file):", "if False:"
    ),
    Mutant(
        "people are told before it is on disk",
        LOOP,
        "        if batch:\n",
        "        if batch:\n"
        "            for reporter in self._reporters:\n"
        "                reporter.records(batch, self.state)\n"
        "            self._reporters, told = (), self._reporters\n",
    ),
    Mutant(
        "attempts start before it is on disk",
        LOOP,
        "        if batch:\n",
        "        for key in launches:\n"
        "            self._start_attempt(key)\n"
        "        launches = []\n"
        "        await asyncio.sleep(0)\n"
        "        if batch:\n",
    ),
    Mutant(
        "interruptions are charged",
        STATE,
        "step.charged, step.adjusted = max(0, step.charged - 1), step.adjusted_before",
        "step.adjusted = step.adjusted_before",
    ),
    Mutant(
        "retries start at once after a resume",
        "agentrun/core/schedule.py",
        '        elif state.waiting in {"retry", "wait", "approval"}:\n            self._set_timer(key)',
        '        elif state.waiting == "retry":\n            self._again.append(key)\n'
        '        elif state.waiting in {"wait", "approval"}:\n            self._set_timer(key)',
    ),
    Mutant(
        "nobody is asked about what must not be repeated",
        "agentrun/runner/begin.py",
        "    if not step.idempotent:\n        return (",
        "    if False:\n        return (",
    ),
)


def notices(mutant: Mutant) -> bool:
    """Return whether the schedules of a copy with this change break a promise."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unwanted = shutil.ignore_patterns("__pycache__", "checkpoints")
        shutil.copytree(REPO / "agentrun", folder / "agentrun", ignore=unwanted)
        for part in ("simulation", "store"):
            shutil.copytree(REPO / "tests" / part, folder / "tests" / part, ignore=unwanted)
        if mutant.path:
            path = folder / mutant.path
            text = path.read_text()
            assert text.count(mutant.piece) >= 1, f"{mutant.path} has changed: {mutant.name}"
            path.write_text(text.replace(mutant.piece, mutant.instead, 1))
        command = ("-m", "tests.simulation", "--seeds", str(SCHEDULES), "--jobs", "1", "--first")
        done = subprocess.run(
            [sys.executable, "-B", *command],
            cwd=folder,
            check=False,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
    told = done.stdout.decode()
    assert "failures" in told, done.stderr.decode()[-2000:]
    return not told.endswith("\n0 failures\n")


def main() -> int:
    """Try all of them."""
    assert not notices(UNCHANGED), "promises are broken without any change"
    missed = 0
    for mutant in MUTANTS:
        began = time.monotonic()
        seen = notices(mutant)
        missed += not seen
        verdict = "noticed" if seen else "MISSED"
        sys.stdout.write(f"{time.monotonic() - began:5.1f} s  {verdict}  {mutant.name}\n")
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

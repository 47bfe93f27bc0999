"""Real kills of the real command: at random moments, and at the n-th system call on the folder."""

import random
import shutil
import subprocess
import time
from pathlib import Path

from tests.crash.command import Folder, end_group

CALLS = (
    "pwrite64,fdatasync,fsync,rename,renameat,renameat2,mkdir,unlink,ftruncate,fallocate,flock,"
    "link,fchmod,chmod,rmdir"
)
"""The calls that change the folder. Opening and reading change nothing, so a kill there is a kill
at the next of these."""


def strace() -> str | None:
    """Return where strace is, if it is there and may trace."""
    found = shutil.which("strace")
    if found is None:
        return None
    tried = subprocess.run([found, "-qq", "-o", "/dev/null", "true"], check=False)
    return found if tried.returncode == 0 else None


def peaceful(path: Path) -> tuple[dict[str, object], float]:
    """Return the outputs of an undisturbed run, and how long it took."""
    folder = Folder(path)
    began = time.monotonic()
    outputs = folder.finish(most=1)
    return outputs, time.monotonic() - began


def at_call(path: Path, number: int, expected: dict[str, object]) -> bool:
    """Kill the run at its n-th call, and the resume at a third of that; then resume and check.

    Return False when the run had fewer calls.
    """
    folder = Folder(path)
    if folder.run(kill_at=number).returncode == 0:
        return False
    folder.run(kill_at=number // 3 + 1)
    assert folder.finish() == expected
    folder.check()
    return True


def at_traced_call(path: Path, tracer: str, number: int, expected: dict[str, object]) -> bool:
    """Have the kernel kill the run at a thread's n-th call on the folder.

    Without `--seccomp-bpf`: with it strace 6.1 counts wrongly, and only the first call is found.
    """
    folder = Folder(path)
    inject = f"inject={CALLS}:signal=KILL:when={number}"
    options = ("-qq", "-f", "-o", "/dev/null", "-e", f"trace={CALLS}")
    done = folder.run(before=(tracer, *options, "-e", inject))
    if (
        done.stdout
    ):  # the result. strace's own exit code is 0 now and then when its child was killed
        return False
    assert folder.finish() == expected
    folder.check()
    return True


def at_moments(path: Path, seed: int, lasts_s: float, expected: dict[str, object]) -> int:
    """Kill the run, and its resumes, at random moments; return how often it was alive then."""
    folder, luck, kills = Folder(path), random.Random(seed), 0
    for _ in range(luck.randint(1, 4)):
        process = folder.start()
        try:
            process.wait(timeout=luck.uniform(0.05, lasts_s))
        except subprocess.TimeoutExpired:
            kills += 1
        end_group(process)
    assert folder.finish() == expected
    folder.check()
    return kills

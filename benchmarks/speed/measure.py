"""Runs a program and says what it cost: time, processor, memory, bytes on disk."""

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one run cost. `wall_s` ends where the work that is measured was reached."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    disk_kb: float = 0.0


@dataclass(frozen=True)
class Row:
    """The costs of all rounds: medians, and how far apart the fastest and the slowest were."""

    work: str
    who: str
    wall_s: float
    wall_from_s: float
    wall_to_s: float
    cpu_s: float
    memory_mb: float
    disk_kb: float
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def run(command: Sequence[str], folder: Path, env: Mapping[str, str], reached: str = "") -> Cost:
    """Run a command to its end. Raises when it fails."""
    mark = folder / "reached"
    mark.unlink(missing_ok=True)
    with open(folder / "errors.txt", "wb") as errors:
        began, moment = time.perf_counter(), time.time()
        child = subprocess.Popen(
            command, cwd=folder, env=dict(env), stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {(folder / 'errors.txt').read_text()[-2000:]}")
    if reached and mark.exists():
        wall = float(mark.read_text()) - moment
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def disk_kb(folder: Path) -> float:
    """Return what the files below a folder hold."""
    found = (os.lstat(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)
    return sum(each.st_size for each in found) / 1000


def summary(work: str, who: str, costs: Sequence[Cost]) -> Row:
    walls = [cost.wall_s for cost in costs]
    return Row(
        work,
        who,
        statistics.median(walls),
        min(walls),
        max(walls),
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.memory_mb for cost in costs),
        statistics.median(cost.disk_kb for cost in costs),
    )


def cleared(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

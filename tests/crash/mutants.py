"""Takes one safeguard at a time out of a copy of the store, and sees whether the tests notice.

`python -m tests.crash.mutants` tries every one, and last a machine whose syncs do nothing, which is
what `eatmydata` makes of a real one. A mutant that survives is a safeguard that no test holds; one
that is said below to be a second line of defence has to say why nothing breaks without it.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0
COPIED = ("agentrun", "tests", "docs")

OUT = "pass  # taken out"
RULES: tuple[tuple[str, str, str], ...] = (
    ("sync", r"^(\s+)[\w.]+\.(sync|sync_folder|sync_above|sync_staged)\([^()]*\)$", rf"\1{OUT}"),
    ("system sync", r"^(\s+)self\.system\.fsync\(fd\)$", rf"\1{OUT}"),
    ("system sync", r"^(\s+)self\._system\.fdatasync\(self\.fd\)$", rf"\1{OUT}"),
    ("write loop", r"^(\s+)while done < len\(data\):$", r"\1while False:"),
    ("checksum", r"^(\s+)and self\._sum\(.*$", r"\1and True"),
    ("chain", r"^(\s+)and line\[-44:-28\] == prev$", r"\1and True"),
    ("hash of a value", r"^(\s+)if sha256\(data\)\.hexdigest\(\) != digest:$", r"\1if False:"),
    ("seal of a snapshot", r"^(\s+)return body if seal == .* else None$", r"\1return body"),
    ("fence", r"^(\s+)self\._check_fence\(\)$", rf"\1{OUT}"),
    ("lock", r"^(\s+)if not disk\.lock\(file\):$", r"\1if False:"),
    ("broken for good", r"^(\s+)self\._refuse_when_broken\(\)$", rf"\1{OUT}"),
)


@dataclass(frozen=True)
class Mutant:
    """A line of a file, changed."""

    path: str
    number: int
    what: str
    line: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.number} ({self.what}): {self.line.strip()}"


def mutants() -> Iterator[Mutant]:
    """Yield every safeguard of the store that can be taken out."""
    for file in sorted((REPO / "agentrun" / "store").glob("*.py")):
        path = str(file.relative_to(REPO))
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for what, pattern, instead in RULES:
                if re.match(pattern, line):
                    yield Mutant(path, number, what, line, re.sub(pattern, instead, line))


NO_SYNC = Mutant(
    "tests/store/faulty_disk.py", 0, "no sync at all", "inode.durable, inode.pending =", ""
)

UNCHANGED = Mutant("", 0, "nothing is changed", "the tests pass then", "")

SECOND_LINE: dict[str, str] = {}
"""Safeguards without which nothing can be shown to break, by file and line, and why."""


def survives(mutant: Mutant, folder: Path) -> bool:
    """Return whether the tests of a copy with this change pass all the same."""
    for name in COPIED:
        shutil.copytree(
            REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "checkpoints")
        )
    shutil.copy(REPO / "pyproject.toml", folder)
    change(mutant, folder)
    return all(passes(command, folder) for command in COMMANDS)


COMMANDS = (
    ("-m", "tests.simulation", "--seeds", "400", "--jobs", "1"),
    ("-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "tests/store"),
)


def change(mutant: Mutant, folder: Path) -> None:
    """Make the change in the copy."""
    if mutant is UNCHANGED:
        return
    path = folder / mutant.path
    if mutant is NO_SYNC:
        text = path.read_text()
        start = text.index("    def _sync(self, kind")
        end = text.index("    def _sync_names")
        text = f"{text[:start]}    def _sync(self, kind: str, inode: Inode) -> None:\n"
        text += f"        self._enter(kind)\n\n{path.read_text()[end:]}"
        path.write_text(text)
        return
    lines = path.read_text().splitlines()
    assert lines[mutant.number - 1] == mutant.line
    lines[mutant.number - 1] = mutant.instead
    path.write_text("\n".join(lines) + "\n")


def passes(command: tuple[str, ...], folder: Path) -> bool:
    """Run one command of the tests in the copy."""
    try:
        done = subprocess.run(
            [sys.executable, "-B", *command],
            cwd=folder,
            check=False,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def alive(chosen: list[Mutant]) -> Iterator[tuple[Mutant, bool, float]]:
    """Yield each mutant, whether it survived, and how long that took."""
    for mutant in chosen:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            lives = survives(mutant, Path(folder))
        yield mutant, lives, time.monotonic() - began


def main() -> int:
    """Try all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.mutants", description=__doc__)
    parser.parse_args()
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        assert survives(UNCHANGED, Path(folder)), "the tests fail without any change"
    chosen = [*mutants(), NO_SYNC]
    for mutant, lives, took in alive(chosen):
        why = SECOND_LINE.get(mutant.line.strip() + " @" + mutant.path, "")
        survivors += lives and not why
        verdict = "noticed" if not lives else why or "SURVIVES"
        sys.stdout.write(f"{took:5.1f} s  {verdict}: {mutant}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} safeguards, {survivors} that no test holds\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
